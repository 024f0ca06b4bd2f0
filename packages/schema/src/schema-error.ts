/**
 * A schema, or a use of one, that cannot stand: a mistake in the app's code, never in its data. The
 * message says what is wrong, why, and what to do.
 */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
}

export function refuse(where: string, why: string): never {
  throw new SchemaError(`${where}: ${why}`);
}

/** Options and kinds that the design has and this version has not. */
const notBuilt = [
  "sealed",
  "signed",
  "partition",
  "residency",
  "mode",
  "checkout",
  "documents",
  "crdt",
  "log",
  "entry",
  "reduce",
  "blob",
  "text",
];

/** Refuses what is not there: what is designed and not built by its name, anything else with what was probably meant. */
export function refuseUnknown(where: string, what: string, name: string, known: readonly string[]): never {
  if (notBuilt.includes(name)) {
    refuse(
      where,
      `"${name}" is not built yet. Leave it out: for now records are readable by the server, sync as whole domains and are kept in memory.`,
    );
  }
  refuse(where, `there is no ${what} "${name}".${didYouMean(name, known)} Known are: ${known.join(", ")}.`);
}

/** Refuses options that nothing would read: a misspelt option must not pass for one that was set. */
export function checkOptions(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    refuse(where, `must be an object with ${known.join(", ")}.`);
  for (const name of Object.keys(options))
    if (!known.includes(name)) refuseUnknown(where, "option", name, known);
}

function didYouMean(name: string, known: readonly string[]): string {
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
  for (const letter of from) {
    let left = (previous[0] as number) + 1;
    const next = [left];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] as number) + (letter === to[column - 1] ? 0 : 1);
      left = Math.min(replaced, (previous[column] as number) + 1, left + 1);
      next.push(left);
    }
    previous = next;
  }
  return previous[to.length] as number;
}
