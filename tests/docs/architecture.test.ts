import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type ClientMode, type LifeEvent, firstLife, step } from "@landfall/client/loop/life";
import { root } from "../style/source-files.js";

const text = readFileSync(`${root}ARCHITECTURE.md`, "utf8");

/** The cells of the table whose head begins with these columns; without backticks. */
function tableOf(...columns: readonly string[]): string[][] {
  const lines = text.split("\n");
  const head = lines.findIndex((line) => line.startsWith(`| ${columns.join(" | ")}`));
  if (head < 0) throw new Error(`ARCHITECTURE.md has no table with the columns ${columns.join(", ")}.`);
  const rows = lines.slice(head + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith("|")),
    )
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("`", "")),
    );
}

const failure = { type: "failed", message: "It failed.", retryAfterMs: 0 } as const;
/** In the order of the document's columns. */
const changing: readonly LifeEvent[] = [
  { type: "token" },
  { type: "noToken" },
  { type: "answered", backoffMs: 0 },
  { ...failure, code: "network" },
  { ...failure, code: "unavailable" },
  { type: "unauthorized", message: "It was refused." },
  { type: "wentOffline" },
  { type: "lock", reason: "It is locked." },
  { type: "unlock" },
];
const staying: readonly LifeEvent[] = [
  { type: "due" },
  { type: "skipped" },
  { type: "cameOnline" },
  { type: "urged" },
];

const after = (mode: ClientMode, event: LifeEvent): ClientMode =>
  step({ ...firstLife, mode, refusals: 1 }, event, { now: 1, random: 0.5, hasToken: true, online: true })
    .mode;

test("the life of a sync in ARCHITECTURE.md is that of the code", () => {
  const documented = tableOf("state", "`token`");
  expect(documented.map(([mode]) => mode)).toEqual([
    "ready",
    "offline",
    "backing-off",
    "needs-auth",
    "signed-out",
    "locked",
  ]);
  for (const [mode, ...cells] of documented as [ClientMode, ...string[]][]) {
    const reached = changing.map((event) => after(mode, event));
    expect(reached, mode).toEqual(cells.map((cell) => (cell === "" ? mode : cell)));
    expect(
      staying.map((event) => after(mode, event)),
      mode,
    ).toEqual(staying.map(() => mode));
  }
});

test("the life of a space in ARCHITECTURE.md is that of the code", () => {
  const source = readFileSync(`${root}packages/client/src/loop/tracked-space.ts`, "utf8");
  const documented = tableOf("state", "`landed`");
  const declared = [
    ...source.matchAll(
      /^ {2}"?([a-z-]+)"?: \{ landed: "([a-z-]+)", partial: "([a-z-]+)", trouble: "([a-z-]+)", retry: "([a-z-]+)" \},$/gm,
    ),
  ];
  expect(declared.map(([, ...cells]) => cells)).toEqual(
    documented.map(([state, ...cells]) => [state, ...cells.map((cell) => (cell === "" ? state : cell))]),
  );
});
