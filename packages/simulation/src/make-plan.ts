import { actWeights, makeAct } from "./make-act.js";
import { makeRush } from "./make-rush.js";
import { type DevicePlan, type FaultKind, type Operation, type Plan, type Step, faultKinds } from "./plan.js";
import { makeTroubles } from "./make-troubles.js";
import { RandomStream } from "./random-stream.js";

/** A seed's run has at least so many writes, and kinds of trouble. */
const leastWrites = 200;
const leastFaults = 2;

/** How many devices a seed has: of each write all of them hear, so that more cost more than they show. */
const deviceWeights = { 3: 60, 4: 25, 5: 15 };

/** Operations in store for those that come to nothing, as where no tab is open. */
const spareOperations = 40;

/** How many drafts are written where there are any. */
const draftTimes = 20;

/** Kinds that a seed has by a chance of their own, whatever else it has. */
const apart: Readonly<Partial<Record<FaultKind, number>>> = {
  torn: 0.1,
  signOut: 0.12,
  schema: 0.12,
  restore: 0.15,
  forget: 0.1,
  wipe: 0.05,
  serverDisk: 0.1,
  rush: 0.1,
  sleep: 0.1,
  access: 0.1,
};

/** As soon as a server can be told to forget. */
const forgetful = { tombstonesMs: 60_000, outcomesMs: 60_000, everyMs: 60_000 };

/** Works out the run that a seed stands for. @param extra kinds of trouble that it has besides its own. */
export function makePlan(seed: number, extra: readonly FaultKind[] = []): Plan {
  const random = new RandomStream(`plan ${seed}`);
  const devices = makeDevices(random.split("devices"));
  const faults: Partial<Record<FaultKind, number>> = {
    ...chooseFaults(random.split("faults"), devices),
    ...Object.fromEntries(extra.map((kind) => [kind, 1])),
  };
  const spaces = random.chance(0.3) ? ["site-7", "site-8"] : ["site-7"];
  const operations = makeOperations(random.split("operations"), devices, spaces.length);
  const endMs = operations.findLast(({ unlessMade }) => unlessMade === undefined)?.atMs ?? 0;
  const troubles = makeTroubles(random.split("troubles"), faults, devices, endMs);
  const drafts =
    faults.schema === undefined ? [] : makeDrafts(random.split("drafts"), devices, spaces, endMs);
  const rush = faults.rush === undefined ? undefined : makeRush(random.split("rush"), devices, endMs);
  return {
    seed,
    faults,
    devices,
    spaces,
    limits: rush?.limits ?? makeLimits(random),
    ...(faults.forget !== undefined && { retention: forgetful }),
    serverSlowness: random.chance(0.4) ? 0.05 : 0,
    steps: inOrder([
      ...operations,
      ...drafts,
      ...troubles,
      ...(rush?.operations ?? []),
      ...(rush?.troubles ?? []),
    ]),
  };
}

function makeLimits(random: RandomStream): Plan["limits"] {
  return {
    maxPageRows: random.chance(0.5) ? random.between(1, 12) : 1_000,
    maxEventsPerRequest: random.chance(0.5) ? random.between(1, 20) : 100,
    maxPageBytes: random.chance(0.2) ? random.between(200, 3_000) : 1_000_000,
  };
}

const inOrder = (steps: readonly Step[]): Step[] =>
  steps
    .map((step, place) => ({ step, place }))
    .sort((a, b) => a.step.atMs - b.step.atMs || a.place - b.place)
    .map(({ step }) => step);

function makeDevices(random: RandomStream): DevicePlan[] {
  return Array.from({ length: Number(random.weighted(deviceWeights)) }, (_, at) => ({
    number: at + 1,
    user: random.chance(0.7) ? "ann" : "ben",
    tabs: random.chance(0.3) ? random.between(2, 3) : 1,
    socket: random.chance(0.8),
  }));
}

/** A random subset with random weights (swarm testing): what is always there hides what only shows without it. */
function chooseFaults(
  random: RandomStream,
  devices: readonly DevicePlan[],
): Partial<Record<FaultKind, number>> {
  const hasTabs = devices.some(({ tabs }) => tabs > 1);
  const possible = faultKinds.filter((kind) => apart[kind] === undefined && (kind !== "tabs" || hasTabs));
  const wanted = random.between(leastFaults, Math.min(8, possible.length));
  const chosen: Partial<Record<FaultKind, number>> = {};
  const weight = (from: RandomStream): number => Math.round((0.05 + from.fraction() ** 2) * 1_000) / 1_000;
  while (Object.keys(chosen).length < wanted) chosen[random.pick(possible)] = weight(random);
  for (const [kind, likelihood] of Object.entries(apart) as [FaultKind, number][]) {
    const own = random.split(kind);
    if (own.chance(likelihood)) chosen[kind] = weight(own);
  }
  return chosen;
}

/** Bursts, the pace of a person, and pauses. */
function gapMs(random: RandomStream): number {
  const [from, to] = {
    burst: [0, 200],
    typing: [200, 3_000],
    pause: [3_000, 15_000],
    away: [30_000, 90_000],
  }[random.weighted({ burst: 55, typing: 35, pause: 9, away: 1 })] as [number, number];
  return random.between(from, to);
}

function makeOperations(random: RandomStream, devices: readonly DevicePlan[], spaces: number): Operation[] {
  const operations: Operation[] = [];
  let atMs = 500;
  let writes = 0;
  // One device is often busier than the others.
  const busy = random.below(devices.length);
  const weights = actWeights(random.split("weights"), "usual");
  while (writes < leastWrites + spareOperations) {
    const isSpare = writes >= leastWrites;
    atMs += isSpare ? random.between(100, 1_000) : gapMs(random);
    const at = random.chance(0.3) ? busy : random.below(devices.length);
    const device = devices[at] as DevicePlan;
    const act = makeAct(random, weights, `${operations.length}`);
    if (act.do !== "sync") writes += 1;
    operations.push({
      type: "act",
      atMs,
      device: device.number,
      tab: random.below(device.tabs),
      space: spaces > 1 && random.chance(0.2) ? 1 : 0,
      act,
      ...(isSpare && { unlessMade: leastWrites }),
    });
  }
  return operations;
}

/** Where apps are of several versions they keep something of their own too, for which no server does anything. */
function makeDrafts(
  random: RandomStream,
  devices: readonly DevicePlan[],
  spaces: readonly string[],
  endMs: number,
): Operation[] {
  return Array.from({ length: draftTimes }, (_, at) => {
    const device = random.pick(devices);
    return {
      type: "act",
      atMs: random.below(endMs),
      device: device.number,
      tab: random.below(device.tabs),
      space: random.below(spaces.length),
      act: { do: "draft", key: random.pick(["d1", "d2"]), text: `draft ${at}` },
    };
  });
}
