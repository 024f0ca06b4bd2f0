/** The map that a map of maps has under a name; an empty one is put there first where there is none. */
export function submap<K, V>(maps: Map<string, Map<K, V>>, name: string): Map<K, V> {
  let found = maps.get(name);
  if (!found) maps.set(name, (found = new Map()));
  return found;
}
