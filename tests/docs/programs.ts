import { posix } from "node:path";

/** A block of TypeScript on a page. */
interface Block {
  readonly language: "ts" | "tsx";
  /** The words behind the language: `run`, and `file=NAME`. */
  readonly words: readonly string[];
  /** The first line of its code, from 0. */
  readonly line: number;
  readonly code: readonly string[];
}

/**
 * A program that a page holds in pieces: all blocks without `file=` together, in order, or all blocks of one
 * file name. Its text has the page's own lines, empty where there is something else, so that every line number
 * is that of the page.
 */
export interface Program {
  readonly page: string;
  /** Where the program would stand, relative to the workspace: beside its page. */
  readonly path: string;
  readonly text: string;
  /** Whether a block of it says `run`. */
  readonly runs: boolean;
  /** What it prints, line by line, as the `// → …` behind each `console.log` says. */
  readonly prints: readonly string[];
  readonly lines: number;
}

const fence = /^(```+)([^\n]*)$/;
const arrow = /\/\/ → (.*)$/;

function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const [, ticks, info = ""] = fence.exec(lines[at] as string) ?? [];
    if (ticks === undefined) continue;
    const end = lines.indexOf(ticks, at + 1);
    if (end < 0) throw new Error(`The block that begins in line ${at + 1} has no end.`);
    const [language = "", ...words] = info.trim().split(/ +/);
    if (language === "ts" || language === "tsx") {
      const unknown = words.find((word) => word !== "run" && !/^file=[\w-]+\.tsx?$/.test(word));
      if (unknown !== undefined) throw new Error(`Line ${at + 1} says ${unknown}, which means nothing.`);
      blocks.push({ language, words, line: at + 1, code: lines.slice(at + 1, end) });
    }
    at = end;
  }
  return blocks;
}

/** The programs that a page's blocks of TypeScript make. @param page its path, relative to the workspace. */
export function programsOf(page: string, text: string): Program[] {
  const byPath = new Map<string, Block[]>();
  const blocks = blocksOf(text);
  const own = blocks.filter(({ words }) => !words.some((word) => word.startsWith("file=")));
  const extension = own.some(({ language }) => language === "tsx") ? "tsx" : "ts";
  for (const block of blocks) {
    const named = block.words.find((word) => word.startsWith("file="))?.slice("file=".length);
    const name = named ?? `${posix.basename(page)}.${extension}`;
    const path = posix.join(posix.dirname(page), name);
    byPath.set(path, [...(byPath.get(path) ?? []), block]);
  }
  return [...byPath].map(([path, parts]) => {
    const lines: string[] = text.split("\n").map(() => "");
    for (const { line, code } of parts) lines.splice(line, code.length, ...code);
    return {
      page,
      path,
      text: lines.join("\n"),
      runs: parts.some(({ words }) => words.includes("run")),
      prints: lines.flatMap((line) => arrow.exec(line)?.[1]?.trim() ?? []),
      lines: parts.reduce((sum, { code }) => sum + code.length, 0),
    };
  });
}
