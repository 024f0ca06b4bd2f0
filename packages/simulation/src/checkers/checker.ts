import type { History, Who } from "../history.js";
import type { Lineage } from "../model/lineage.js";
import type { Entries } from "./entries.js";
import type { ShownViews } from "./shown.js";
import type { Stories } from "./stories.js";

/** Something that a run should never have shown: who, what and when. */
export interface Violation {
  readonly checker: string;
  /** Virtual milliseconds. */
  readonly at: number;
  readonly message: string;
}

/** One promise, judged over a whole run. */
export interface Checker {
  readonly name: string;
  /** The rule of docs/protocol.md, or the section of the design, that it holds the product to. */
  readonly rule: string;
  /** What is promised, in one sentence. */
  readonly promise: string;
  check(run: Run): readonly Finding[];
}

/** What a checker finds; its name is added by who asked it. */
export interface Finding {
  readonly at: number;
  readonly message: string;
}

/** A run, its replay from zero, and what else all checkers look at. */
export interface Run {
  readonly history: History;
  readonly entries: Entries;
  readonly lineage: Lineage;
  readonly stories: Stories;
  readonly shown: ShownViews;
}

/** More of one kind say nothing more. */
const maxFindings = 20;

export const tabOf = ({ tab, run }: Pick<Who, "tab" | "run">): string => `${tab}#${run}`;

/** Asks one checker. */
export function ask(checker: Checker, run: Run): readonly Violation[] {
  return checker
    .check(run)
    .slice(0, maxFindings)
    .map(({ at, message }) => ({ checker: checker.name, at, message }));
}
