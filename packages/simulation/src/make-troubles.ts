import type { DevicePlan, FaultKind, Trouble } from "./plan.js";
import type { RandomStream } from "./random-stream.js";

/** What a kind of trouble needs to be made up. */
interface Circumstances {
  readonly random: RandomStream;
  readonly atMs: number;
  readonly devices: readonly DevicePlan[];
}

interface Recipe {
  /** How often it comes at the most, at full weight, or somewhat more. */
  readonly most: number;
  make(circumstances: Circumstances): Trouble;
}

const anyDevice = ({ random, devices }: Circumstances): number => random.pick(devices).number;

/** Mostly short, sometimes minutes. */
const length = (random: RandomStream): number => Math.round(300 * 10 ** (2.6 * random.fraction()));

function anyTab(circumstances: Circumstances, least = 1): { readonly device: number; readonly tab: number } {
  const { random, devices } = circumstances;
  const { number, tabs } = random.pick(devices.filter((device) => device.tabs >= least));
  return { device: number, tab: random.below(tabs) };
}

/** The kinds that are no weather: moments at which something happens. */
const recipes: Readonly<Partial<Record<FaultKind, Recipe>>> = {
  offline: {
    most: 20,
    make: (all) => ({ type: "offline", atMs: all.atMs, device: anyDevice(all), forMs: length(all.random) }),
  },
  partition: {
    most: 12,
    make(all) {
      const { random, atMs } = all;
      const which = random.pick(["to", "from", "both"]);
      const ways = { to: which !== "from", from: which !== "to" };
      return { type: "partition", atMs, device: anyDevice(all), ...ways, forMs: length(random) };
    },
  },
  crash: {
    most: 16,
    make(all) {
      const { random, atMs } = all;
      return {
        type: "crash",
        atMs,
        ...anyTab(all),
        inCalls: random.below(12),
        after: random.chance(0.5),
        downMs: length(random),
      };
    },
  },
  serverCrash: {
    most: 10,
    make: ({ random, atMs }) => ({
      type: "serverCrash",
      atMs,
      inCalls: random.below(10),
      after: random.chance(0.5),
      downMs: length(random),
    }),
  },
  clock: {
    most: 12,
    make(all) {
      const { random, atMs } = all;
      const offsetMs = Math.round((random.chance(0.5) ? 1 : -1) * 10 ** (2 + 8 * random.fraction()));
      return { type: "clock", atMs, device: anyDevice(all), offsetMs, stop: random.chance(0.25) };
    },
  },
  freeze: {
    most: 14,
    make: (all) => ({ type: "freeze", atMs: all.atMs, ...anyTab(all), forMs: length(all.random) }),
  },
  tabs: {
    most: 14,
    make: (all) => ({ type: "closeTab", atMs: all.atMs, ...anyTab(all, 2), forMs: length(all.random) }),
  },
};

/** Moments of trouble: the more weight a kind has, the more of them. */
export function makeTroubles(
  random: RandomStream,
  faults: Partial<Record<FaultKind, number>>,
  devices: readonly DevicePlan[],
  endMs: number,
): Trouble[] {
  return (Object.entries(faults) as [FaultKind, number][]).flatMap(([kind, weight]) => {
    const recipe = recipes[kind];
    if (!recipe) return [];
    const own = random.split(kind);
    const times = Math.max(1, Math.round(weight * recipe.most * (0.5 + own.fraction())));
    return Array.from({ length: times }, () => recipe.make({ random: own, atMs: own.below(endMs), devices }));
  });
}
