/** A mistake that is easy to make, planted into a copy of the source as a test run loads it. */
export interface Fault {
  readonly name: string;
  /** The rule of docs/protocol.md that it breaks, `rule 6`, or the section of the design, `§13`. */
  readonly rule: string;
  /** The source, relative to the workspace. */
  readonly file: string;
  /** Stands in the source exactly once; any white space matches any other. */
  readonly find: string;
  readonly replace: string;
  /** The test that must turn red: its file, and the end of its title. */
  readonly test: { readonly file: string; readonly title: string };
  /** What a person would lose by it. */
  readonly why: string;
}

/** Where `find` stands in a source. */
export function occurrences(source: string, find: string): readonly { start: number; end: number }[] {
  const parts = find
    .trim()
    .split(/\s+/)
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`));
  return [...source.matchAll(new RegExp(parts.join(String.raw`\s+`), "g"))].map((match) => ({
    start: match.index,
    end: match.index + match[0].length,
  }));
}

/** The source with the fault in it. @throws when `find` does not stand there exactly once. */
export function planted(fault: Pick<Fault, "name" | "file" | "find" | "replace">, source: string): string {
  const found = occurrences(source, fault.find);
  const [only] = found;
  if (only === undefined || found.length !== 1) {
    throw new Error(
      `The fault ${fault.name} looks for a text that stands ${found.length} times in ${fault.file}. ` +
        "The source has changed: say in tests/faults where the mistake would be made now.",
    );
  }
  return source.slice(0, only.start) + fault.replace + source.slice(only.end);
}
