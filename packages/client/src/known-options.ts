/** Refuses options that nothing would read: a misspelt one must not pass for one that was set. @throws TypeError */
export function knownOptions(what: string, options: object | undefined, known: readonly string[]): void {
  for (const name in options)
    if (!known.includes(name))
      throw new TypeError(`${what} has no option "${name}". Known are: ${known.join(", ")}.`);
}
