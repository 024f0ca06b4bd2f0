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

/**
 * Makes a plan that fails smaller, as long as it goes on failing: devices, then kinds of trouble, then what is done.
 *
 * @param fails runs a plan and says whether it fails as the first one did.
 * @param tries runs at most.
 */
export async function shrink(
  plan: Plan,
  fails: (plan: Plan) => Promise<boolean>,
  tries = 400,
): Promise<Plan> {
  let best = plan;
  let left = tries;
  const isBetter = async (candidate: Plan): Promise<boolean> => {
    if (left <= 0) return false;
    left -= 1;
    if (!(await fails(candidate))) return false;
    best = candidate;
    return true;
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
