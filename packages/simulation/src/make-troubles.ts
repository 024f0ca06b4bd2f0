import { type StorageTable, storageTables } from "@landfall/client/storage/port";
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
  sleep: {
    most: 12,
    make: (all) => ({
      type: "sleep",
      atMs: all.atMs,
      device: anyTab(all, 2).device,
      forMs: all.random.between(8_000, 60_000),
    }),
  },
  tabs: {
    most: 14,
    make: (all) => ({ type: "closeTab", atMs: all.atMs, ...anyTab(all, 2), forMs: length(all.random) }),
  },
};

/** Tables that are lost together: any of them, or undefined for all. */
function someTables(random: RandomStream): readonly StorageTable[] | undefined {
  const tables = random.chance(0.3) ? storageTables : storageTables.filter(() => random.chance(0.4));
  if (tables.length === storageTables.length) return undefined;
  return tables.length > 0 ? tables : [random.pick(storageTables)];
}

/** Those that take something away that was safe. */
const losses: Readonly<Partial<Record<FaultKind, Recipe>>> = {
  power: {
    most: 8,
    make: (all) => ({
      type: "power",
      atMs: all.atMs,
      device: anyDevice(all),
      keeps: all.random.pick([0, 0.5, 1]),
      unwrittenMs: all.random.chance(0.3) ? all.random.below(400) : 0,
      downMs: length(all.random),
    }),
  },
  signOut: {
    most: 6,
    make: (all) => ({
      type: "signOut",
      atMs: all.atMs,
      device: anyDevice(all),
      unsynced: all.random.weighted({ block: 3, export: 1, discard: 1 }),
      ...(all.random.chance(0.6) && { writesMs: all.random.below(10) }),
      downMs: length(all.random),
    }),
  },
  torn: {
    most: 3,
    make: (all) => ({
      type: "torn",
      atMs: all.atMs,
      device: anyDevice(all),
      forMs: length(all.random),
      downMs: length(all.random),
    }),
  },
  full: {
    most: 6,
    make: (all) => ({ type: "full", atMs: all.atMs, device: anyDevice(all), forMs: length(all.random) }),
  },
  evict: {
    most: 3,
    make(all) {
      const { random, atMs } = all;
      const tables = someTables(random);
      return {
        type: "evict",
        atMs,
        device: anyDevice(all),
        ...(tables && { tables }),
        notes: random.chance(0.5),
        deafMs: random.chance(0.5) ? length(random) : 0,
        downMs: length(random),
      };
    },
  },
  older: {
    most: 3,
    make: (all) => ({
      type: "older",
      atMs: all.atMs,
      device: anyDevice(all),
      forMs: length(all.random),
      downMs: length(all.random),
    }),
  },
  serverClock: {
    most: 4,
    make: ({ random, atMs }) => ({
      type: "serverClock",
      atMs,
      offsetMs: Math.round((random.chance(0.5) ? 1 : -1) * 10 ** (2 + 5 * random.fraction())),
    }),
  },
  serverDisk: {
    most: 12,
    make: ({ random, atMs }) => ({
      type: "serverDisk",
      atMs,
      how: random.weighted({ full: 3, broken: 1 }),
      stallMs: random.chance(0.8) ? random.between(100, 3_000) : 0,
      inCalls: random.below(4),
    }),
  },
  restore: {
    most: 1,
    make: ({ random, atMs }) => ({ type: "restore", atMs, forMs: length(random), downMs: length(random) }),
  },
  wipe: { most: 1, make: ({ random, atMs }) => ({ type: "wipe", atMs, space: random.below(2) }) },
  access: {
    most: 4,
    make: ({ random, atMs }) => ({ type: "access", atMs, space: random.below(2), forMs: length(random) }),
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
    const own = random.split(kind);
    // Copies are numbered on from the devices.
    if (kind === "clone") return makeClones(own, weight, devices, endMs);
    // What a tab that is left open shows of two histories that it cannot read, no checker could tell.
    if (kind === "schema") return makeUpgrades(own, devices, endMs, faults.restore === undefined);
    const recipe = recipes[kind] ?? losses[kind];
    // Only another tab can lead while one sleeps, and take over when one is closed.
    const needsTabs = kind === "sleep" || kind === "tabs";
    if (!recipe || (needsTabs && devices.every(({ tabs }) => tabs === 1))) return [];
    const times = Math.max(1, Math.round(weight * recipe.most * (0.5 + own.fraction())));
    return Array.from({ length: times }, () => recipe.make({ random: own, atMs: own.below(endMs), devices }));
  });
}

/** The server's comes somewhere in the middle; some devices are before it, some after, and some wait to the end. */
function makeUpgrades(
  random: RandomStream,
  devices: readonly DevicePlan[],
  endMs: number,
  mayBeLeft: boolean,
): Trouble[] {
  const upgrade = (): { readonly atMs: number; readonly downMs: number } => ({
    atMs: random.below(endMs),
    downMs: length(random),
  });
  return [
    { type: "serverUpgrade", ...upgrade() },
    ...devices
      .filter(() => random.chance(0.8))
      .map(({ number, tabs }): Trouble => {
        const left = mayBeLeft && tabs > 1 && random.chance(0.6) ? { left: random.below(tabs) } : {};
        return { type: "appUpgrade", device: number, ...upgrade(), ...left };
      }),
  ];
}

function makeClones(
  random: RandomStream,
  weight: number,
  devices: readonly DevicePlan[],
  endMs: number,
): Trouble[] {
  return Array.from({ length: 1 + Math.round(weight * random.fraction()) }, (_, at) => ({
    type: "clone",
    atMs: random.below(endMs),
    device: random.pick(devices).number,
    copy: devices.length + at + 1,
    downMs: length(random),
  }));
}
