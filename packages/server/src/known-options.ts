/**
 * Refuses what would otherwise be left out in silence: a limit that does not hold, a check that is not made.
 * @param known every option there is, as its members.
 * @throws Error
 */
export function refuseUnknown(whose: string, options: object, known: object): void {
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length > 0)
    throw new Error(
      `${whose} has no option ${unknown.map((name) => JSON.stringify(name)).join(", ")}. Known are: ${Object.keys(known).join(", ")}.`,
    );
}
