import { Bench, type BenchOptions, domain } from "./bench.js";
import { type Check, Departure, Skipped } from "./check.js";
import { digestChecks } from "./checks/digests.js";
import { expectationChecks } from "./checks/expectations.js";
import { idempotencyChecks } from "./checks/idempotency.js";
import { mergeChecks } from "./checks/merging.js";
import { opChecks } from "./checks/ops.js";
import { pullChecks } from "./checks/pulls.js";
import { readChecks } from "./checks/reads.js";
import { reconcileChecks } from "./checks/reconciling.js";
import { requestChecks } from "./checks/requests.js";
import { socketChecks } from "./checks/sockets.js";
import { spaceChecks } from "./checks/spaces.js";
import { strangerChecks } from "./checks/strangers.js";
import { streamChecks } from "./checks/streams.js";
import { create } from "./written-ops.js";

/** All that a server is asked, in the order in which it is asked. */
export const checks: readonly Check[] = [
  ...spaceChecks,
  ...opChecks,
  ...expectationChecks,
  ...idempotencyChecks,
  ...readChecks,
  ...mergeChecks,
  ...digestChecks,
  ...reconcileChecks,
  ...streamChecks,
  ...pullChecks,
  ...requestChecks,
  ...strangerChecks,
  ...socketChecks,
];

/** What became of one check. */
interface Result {
  readonly check: string;
  readonly rule: string;
  readonly asks: string;
  readonly result: "pass" | "fail" | "skip";
  /** Why it failed or was skipped. */
  readonly reason?: string;
  readonly ms: number;
}

export interface Report {
  readonly url: string;
  /** What the server calls itself. */
  readonly server: string;
  readonly results: readonly Result[];
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Spaces that could not be emptied afterwards. */
  readonly leftBehind: number;
}

interface RunOptions extends BenchOptions {
  /** Checks to run: ids, or groups of them; all unless given. */
  readonly only?: readonly string[];
  readonly elapsedMs: () => number;
}

/** The checks that a selection names. @throws Error for a name that means none. */
export function selected(only: readonly string[] | undefined): readonly Check[] {
  if (only === undefined) return checks;
  const means = (name: string, { id }: Check): boolean => id === name || id.startsWith(`${name}/`);
  for (const name of only) {
    if (!checks.some((check) => means(name, check)))
      throw new Error(`No check is called ${name}. Groups are ${groups().join(", ")}.`);
  }
  return checks.filter((check) => only.some((name) => means(name, check)));
}

function groups(): readonly string[] {
  return [...new Set(checks.map(({ id }) => id.split("/")[0] as string))];
}

/**
 * Asks a server all that the protocol says, over HTTP and the socket alone, in spaces of the kit's own.
 * @throws Departure where it cannot begin: there is no server, the token is not good, or its schema refuses what the kit writes.
 */
export async function runConformance(options: RunOptions): Promise<Report> {
  const chosen = selected(options.only);
  const bench = new Bench(options);
  const { server } = await bench.open();
  const results: Result[] = [];
  try {
    await probe(bench);
    for (const check of chosen) {
      const started = options.elapsedMs();
      const { result, reason } = await runCheck(bench, check);
      const { id, rule, asks } = check;
      const ms = Math.round(options.elapsedMs() - started);
      results.push({ check: id, rule, asks, result, ms, ...(reason === undefined ? {} : { reason }) });
    }
  } finally {
    bench.closeSockets();
  }
  const leftBehind = await bench.cleanUp();
  const count = (wanted: Result["result"]): number =>
    results.filter(({ result }) => result === wanted).length;
  return {
    url: options.url,
    server,
    results,
    passed: count("pass"),
    failed: count("fail"),
    skipped: count("skip"),
    leftBehind,
  };
}

/** A server with a schema of its own has not the kit's domains, and there would be nothing to ask it. */
async function probe(bench: Bench): Promise<void> {
  const device = await bench.device();
  const outcome = await device.write(create("probe"));
  if (outcome.status === "rejected" && outcome.code === "unknown_domain")
    throw new Departure(
      `The server's schema has no domain ${domain}. Run the kit against a server without a schema: the protocol is the same.`,
    );
}

async function runCheck(bench: Bench, check: Check): Promise<Pick<Result, "result" | "reason">> {
  try {
    await check.run(bench);
    return { result: "pass" };
  } catch (error) {
    if (error instanceof Skipped) return { result: "skip", reason: error.message };
    if (error instanceof Departure) return { result: "fail", reason: error.message };
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { result: "fail", reason: `the check could not be carried through (${reason})` };
  } finally {
    bench.closeSockets();
  }
}

/** The report for people: what failed and what was skipped with its reason, what passed by its name. */
export function describeReport({
  url,
  server,
  results,
  passed,
  failed,
  skipped,
  leftBehind,
}: Report): string {
  const words = { pass: "ok  ", fail: "FAIL", skip: "skip" };
  const lines = results.flatMap(({ check, rule, asks, result, reason }) => [
    `${words[result]} ${check.padEnd(28)} ${rule}`,
    ...(result === "pass"
      ? []
      : [`       asked: ${asks}`, `       ${result === "fail" ? "found" : "why"}: ${reason}`]),
  ]);
  return [
    `${server} at ${url}`,
    "",
    ...lines,
    "",
    `${passed} passed, ${failed} failed, ${skipped} skipped`,
    ...(leftBehind === 0 ? [] : [`${leftBehind} space(s) named conformance-… could not be emptied.`]),
  ].join("\n");
}
