import type { Row } from "@landfall/protocol";
import type { ServerRows, View } from "../history.js";
import { digestOf } from "../model/digest.js";
import type { Branch } from "../model/lineage.js";
import { type ModelRow, fromWire, nameOf, rowText } from "../model/model-row.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";
import { seenText } from "./consistent-cut.js";
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
    for (const entry of run.history.entries) {
      if (entry.type === "serverRows") findings.push(...serverDiffers(run, entry));
      if (entry.type === "view" && entry.why === "final") findings.push(...viewDiffers(run, entry));
    }
    findings.push(...devicesDiffer(run));
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
  const held = new Map(entry.rows.map((row: Row) => [nameOf(row.domain, row.key), fromWire(row)] as const));
  for (const name of new Set([...held.keys(), ...state.keys()])) {
    const [is, should] = [live(held.get(name)), live(state.get(name))];
    if (is !== should)
      findings.push(
        say(`the server has ${name} as ${is ?? "nothing"}, and the model ${should ?? "nothing"}`),
      );
  }
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

/** Tombstones are sent only as far as somebody may need them. */
const live = (row: ModelRow | undefined): string | undefined =>
  row && !row.deleted ? rowText(row) : undefined;

function viewDiffers(run: Run, view: View): Finding[] {
  const branch = run.lineage.last(view.space);
  if (!branch) return [];
  const problem = differenceOf(run, view, branch.stateAt(branch.head)) ?? versionDiffers(view, branch);
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
      const row = state.get(nameOf(domain, key));
      if (row && (row.version !== $.version || row.modifiedAt !== $.modifiedAt))
        return `${nameOf(domain, key)} is of index ${$.version} and ${$.modifiedAt}, and should be of ${row.version} and ${row.modifiedAt}`;
    }
  }
  return undefined;
}

/** Byte for byte, whatever the model thinks. */
function devicesDiffer({ history }: Run): Finding[] {
  const findings: Finding[] = [];
  const first = new Map<string, { readonly tab: string; readonly text: string }>();
  for (const view of history.entries) {
    if (view.type !== "view" || view.why !== "final") continue;
    const text = wholeText(view);
    const other = first.get(view.space);
    if (!other) first.set(view.space, { tab: tabOf(view), text });
    else if (other.text !== text)
      findings.push({
        at: view.at,
        message: `${tabOf(view)} and ${other.tab} end with different bytes of ${view.space}: ${firstDifference(text, other.text)}`,
      });
  }
  return findings;
}

function wholeText({ domains }: View): string {
  return Object.entries(domains)
    .flatMap(([domain, records]) =>
      records.map((seen) => `${domain}/${seen.key}@${seen.$.version} ${seenText(seen)}`),
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
