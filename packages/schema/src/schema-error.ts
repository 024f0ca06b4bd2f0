/**
 * A schema, or a use of one, that cannot stand: a mistake in the app's code, never in its data. The
 * message says what is wrong, why, and what to do.
 */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
}

/** Options and methods that the design has and this version has not, each with what holds until it does. */
const notBuilt: Readonly<Record<string, string>> = {
  sealed: "the server can read every field",
  signed: "the server says who wrote",
  partition: "a member of a space syncs the whole of a domain",
  residency: 'records are kept in memory, and residency can only be "memory"',
  mode: "every domain can be edited offline",
  checkout: "every domain can be edited offline",
  documents: "domains are made with records()",
  crdt: "domains are made with records()",
  log: "domains are made with records()",
  entry: "domains are made with records()",
  blob: "a field is a JSON value",
  text: "one validator describes all fields of a record",
};

/** Refuses, by its name, something that is designed and not built. */
export function refuseUnbuilt(where: string, name: string): never {
  throw new SchemaError(`${where}: "${name}" is not built yet; for now ${notBuilt[name]}. Leave it out.`);
}

/** Refuses options that nothing would read: a misspelt option must not pass for one that was set. */
export function checkOptions(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new SchemaError(`${where} must be an object with ${known.join(", ")}.`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    if (Object.hasOwn(notBuilt, name)) refuseUnbuilt(where, name);
    throw new SchemaError(`${where}: there is no option "${name}".${didYouMean(name, known)} The options are ${known.join(", ")}.`);
  }
}

/** The sentence that offers the nearest known name, or nothing when none is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  let nearest = "";
  let least = Math.min(3, name.length);
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [nearest, least] = [candidate, distance];
  }
  return nearest && ` Did you mean "${nearest}"?`;
}

/** Insertions, deletions and replacements that turn one text into the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const next = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] as number) + (from[row - 1] === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (previous[column] as number) + 1, (next[column - 1] as number) + 1));
    }
    previous = next;
  }
  return previous[to.length] as number;
}
