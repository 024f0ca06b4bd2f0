import { type FaultKind, type Plan, isOperation, kindOfTrouble } from "./plan.js";

const withoutDevice = (plan: Plan, number: number): Plan => ({
  ...plan,
  devices: plan.devices.filter((device) => device.number !== number),
  steps: plan.steps.filter((step) => !("device" in step) || step.device !== number),
});

function withoutFault(plan: Plan, kind: FaultKind): Plan {
  const { [kind]: _gone, ...faults } = plan.faults;
  return {
    ...plan,
    faults,
    steps: plan.steps.filter((step) => isOperation(step) || kindOfTrouble(step) !== kind),
  };
}

/** Plans that are like this one but for something that may not matter, the most promising first. */
function* simpler(plan: Plan): Iterable<Plan> {
  if (plan.devices.length > 1) for (const { number } of plan.devices) yield withoutDevice(plan, number);
  for (const kind of Object.keys(plan.faults) as FaultKind[]) yield withoutFault(plan, kind);
  if (plan.spaces.length > 1)
    yield {
      ...plan,
      spaces: plan.spaces.slice(0, 1),
      steps: plan.steps.filter((step) => !isOperation(step) || step.space === 0),
    };
  for (const device of plan.devices) {
    if (device.tabs < 2) continue;
    const devices = plan.devices.map((each) => (each === device ? { ...each, tabs: each.tabs - 1 } : each));
    const steps = plan.steps.filter(
      (step) => !("tab" in step) || step.device !== device.number || step.tab < device.tabs - 1,
    );
    yield { ...plan, devices, steps };
  }
}

/** What became of a plan that was tried. */
export interface Attempt {
  /** Whether it fails as the first one did. */
  readonly fails: boolean;
  /** Steps that its run took. */
  readonly steps: number;
}

/** How far it has come. */
export interface ShrinkProgress {
  readonly runs: number;
  /** Steps of the smallest plan that fails so far. */
  readonly planSteps: number;
}

export interface ShrinkOptions {
  /** Runs at most. */
  readonly runs?: number;
  /**
   * Steps at most that all runs may take, but for the last one: one that never comes to rest takes as many as fifty others,
   * and as it fails so do most that are smaller.
   */
  readonly steps?: number;
  readonly told?: (progress: ShrinkProgress) => void;
}

/**
 * Makes a plan that fails smaller, as long as it goes on failing: devices, then kinds of trouble, then what is done.
 * What it has come to when it may try no more is what it gives.
 *
 * @param attempt runs a plan.
 */
export async function shrink(
  plan: Plan,
  attempt: (plan: Plan) => Promise<Attempt>,
  { runs = 400, steps: mostSteps = 4_000_000, told }: ShrinkOptions = {},
): Promise<Plan> {
  let best = plan;
  let done = 0;
  let stepsDone = 0;
  const isBetter = async (candidate: Plan): Promise<boolean> => {
    if (done >= runs || stepsDone >= mostSteps) return false;
    const { fails, steps } = await attempt(candidate);
    done += 1;
    stepsDone += steps;
    if (fails) best = candidate;
    told?.({ runs: done, planSteps: best.steps.length });
    return fails;
  };
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const candidate of simpler(best)) {
      isSmaller = await isBetter(candidate);
      if (isSmaller) break;
    }
  }
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < best.steps.length;) {
      const steps = [...best.steps.slice(0, from), ...best.steps.slice(from + size)];
      if (!(await isBetter({ ...best, steps }))) from += size;
    }
  }
  return best;
}
