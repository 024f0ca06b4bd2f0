import { type Weather, calm } from "./network/weather.js";
import type { FaultKind, Plan } from "./plan.js";
import type { RandomStream } from "./random-stream.js";

/** How bad the network of a device is while the plan's faults last; each device draws its own. */
export function weatherOf(plan: Plan, random: RandomStream): Weather {
  const share = (kind: FaultKind, most: number): number => {
    const weight = plan.faults[kind];
    return weight === undefined
      ? 0
      : Math.min(0.5, weight * most * (0.3 + 1.4 * random.split(kind).fraction()));
  };
  return {
    ...calm,
    delayMs: random.pick([2, 20, 80, 300]),
    tail: share("delay", 0.25),
    dropRequest: share("drop", 0.15),
    dropAnswer: share("drop", 0.2),
    refuse: share("reset", 0.15),
    reset: share("reset", 0.25),
    duplicate: share("duplicate", 0.3),
    truncate: share("truncate", 0.4),
    status: share("status", 0.25),
    portal: share("portal", 0.15),
    losePoke: share("pokes", 0.3),
    doublePoke: share("pokes", 0.3),
    earlyPoke: share("pokes", 0.2),
    reorderPoke: share("pokes", 0.3),
    dropSocket: share("pokes", 0.03),
  };
}
