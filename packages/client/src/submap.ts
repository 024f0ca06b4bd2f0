/** The map that a map of maps has under a name; an empty one is put there first where there is none. */
export function submap<N, K, V>(maps: Map<N, Map<K, V>>, name: N): Map<K, V> {
  let found = maps.get(name);
  if (!found) maps.set(name, (found = new Map()));
  return found;
}
