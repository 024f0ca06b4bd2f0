import { makePlan } from "./make-plan.js";
import type { FaultKind, Plan } from "./plan.js";
import { type Problem, run } from "./run.js";
import { type Attempt, type ShrinkOptions, shrink } from "./shrink.js";
import { timeline } from "./timeline.js";

/** What became of a seed, as it goes from one thread to another. */
interface SeedReport {
  readonly seed: number;
  readonly hash: string;
  readonly writes: number;
  readonly faults: readonly string[];
  readonly problems: readonly Problem[];
  readonly counts: Readonly<Record<string, number>>;
}

/** Runs a seed, or a plan that was kept. */
export async function report(of: number | Plan, extra?: readonly FaultKind[]): Promise<SeedReport> {
  const plan = typeof of === "number" ? makePlan(of, extra) : of;
  const { hash, writes, problems, counts } = await run(plan);
  return {
    seed: plan.seed,
    hash,
    writes,
    faults: Object.keys(plan.faults),
    problems,
    counts: Object.fromEntries(counts),
  };
}

/** A failure made small: the plan, its problems, and what happens in it. */
interface ShrunkFailure {
  readonly plan: Plan;
  readonly problems: readonly Problem[];
  readonly timeline: string;
}

/** Makes the failure of a seed as small as it gets within the limits of `shrink`. */
export async function shrunk(
  of: number | Plan,
  extra?: readonly FaultKind[],
  options?: ShrinkOptions,
): Promise<ShrunkFailure> {
  const plan = typeof of === "number" ? makePlan(of, extra) : of;
  const checks = new Set((await run(plan)).problems.map(({ check }) => check));
  const attempt = async (candidate: Plan): Promise<Attempt> => {
    const { steps, problems } = await run(candidate);
    return { steps, fails: problems.some(({ check }) => checks.has(check)) };
  };
  const small = checks.size === 0 ? plan : await shrink(plan, attempt, options);
  const { problems, trace } = await run(small, { keepTrace: true });
  return { plan: small, problems, timeline: timeline(trace) };
}
