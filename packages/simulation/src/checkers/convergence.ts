import type { ServerRows, View } from "../history.js";
import { digestOf } from "../model/digest.js";
import type { Branch } from "../model/lineage.js";
import { type ModelRow, fromWire, nameOf, rowIn, rowText, rowsOf, sameRow } from "../model/model-row.js";
import { sameMembers } from "../model/same-value.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";
import { differenceOf } from "./rebase.js";

/**
 * When all is quiet everybody holds the same bytes, and they are those that the naive model comes to when it replays
 * every event in the order of its index, from zero (rules 4 to 7).
 */
export const convergence: Checker = {
  name: "convergence",
  rule: "rule 6",
  promise: "In the end all devices and the server hold the same rows, and the rows that the rules say.",
  check(run) {
    const findings: Finding[] = run.lineage.misfits.map(({ at, message }) => ({ at, message }));
    const finals = run.entries.of("view").flatMap(([, view]) => (view.why === "final" ? [view] : []));
    for (const [, entry] of run.entries.of("serverRows")) findings.push(...serverDiffers(run, entry));
    for (const view of finals) findings.push(...viewDiffers(run, view));
    findings.push(...devicesDiffer(run, finals));
    return findings;
  },
};

function serverDiffers(run: Run, entry: ServerRows): Finding[] {
  const branch = run.lineage.last(entry.space);
  const say = (message: string): Finding => ({
    at: entry.at,
    message: `${entry.space} at the end: ${message}`,
  });
  if (!branch) return [];
  if (branch.generation !== entry.generation || branch.head !== entry.head) {
    return [
      say(
        `the server is at ${entry.head} of ${entry.generation}, and its commits came to ${branch.head} of ${branch.generation}`,
      ),
    ];
  }
  const state = branch.stateAt(branch.head);
  const findings: Finding[] = [];
  const held = byName(entry.rows.map(fromWire));
  const should = byName(rowsOf(state));
  for (const name of new Set([...held.keys(), ...should.keys()]))
    if (!sameRow(held.get(name), should.get(name)))
      findings.push(
        say(`the server has ${name} as ${textOf(held.get(name))}, and the model ${textOf(should.get(name))}`),
      );
  for (const [domain, digest] of Object.entries(entry.digests)) {
    const { count, sum } = digestOf(state, domain);
    if (digest.count !== count || digest.sum !== sum)
      findings.push(
        say(
          `the digest of ${domain} is ${digest.sum} of ${digest.count} rows, and comes to ${sum} of ${count}`,
        ),
      );
  }
  return findings;
}

/** Live rows alone: tombstones are sent only as far as somebody may need them. */
const byName = (rows: readonly ModelRow[]): Map<string, ModelRow> =>
  new Map(rows.flatMap((row) => (row.deleted ? [] : [[nameOf(row.domain, row.key), row]])));

const textOf = (row: ModelRow | undefined): string => (row ? rowText(row) : "nothing");

function viewDiffers(run: Run, view: View): Finding[] {
  const branch = run.lineage.last(view.space);
  if (!branch) return [];
  const shown = run.shown.of(view);
  const problem =
    differenceOf(run, shown, run.lineage.shownAt(branch, branch.head, shown.schema))?.() ??
    versionDiffers(view, branch);
  return problem === undefined
    ? []
    : [
        {
          at: view.at,
          message: `${tabOf(view)} ends with another ${view.space} than the server: ${problem}`,
        },
      ];
}

function versionDiffers(view: View, branch: Branch): string | undefined {
  const state = branch.stateAt(branch.head);
  for (const [domain, records] of Object.entries(view.domains)) {
    for (const { key, $ } of records) {
      const row = rowIn(state, domain, key);
      if (row && (row.version !== $.version || row.modifiedAt !== $.modifiedAt))
        return `${nameOf(domain, key)} is of index ${$.version} and ${$.modifiedAt}, and should be of ${row.version} and ${row.modifiedAt}`;
    }
  }
  return undefined;
}

/** Byte for byte, whatever the model thinks. */
function devicesDiffer(run: Run, finals: readonly View[]): Finding[] {
  const findings: Finding[] = [];
  const first = new Map<string, View>();
  for (const view of finals) {
    const other = first.get(view.space);
    if (!other) first.set(view.space, view);
    if (!other || sameMembers(view.domains, other.domains)) continue;
    const [text, otherText] = [wholeText(run, view), wholeText(run, other)];
    if (text !== otherText)
      findings.push({
        at: view.at,
        message: `${tabOf(view)} and ${tabOf(other)} end with different bytes of ${view.space}: ${firstDifference(text, otherText)}`,
      });
  }
  return findings;
}

function wholeText(run: Run, view: View): string {
  return run.shown
    .of(view)
    .lists.flatMap(({ records }) =>
      records.map(({ name, seen, text }) => `${name}@${seen.$.version} ${text}`),
    )
    .toSorted()
    .join("\n");
}

function firstDifference(a: string, b: string): string {
  const others = b.split("\n");
  const place = a.split("\n").findIndex((line, at) => line !== others[at]);
  return place < 0
    ? `one more: ${others.at(-1)}`
    : `${a.split("\n")[place]} and ${others[place] ?? "nothing"}`;
}
