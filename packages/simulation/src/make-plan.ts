import {
  type Act,
  type DevicePlan,
  type FaultKind,
  type Operation,
  type Plan,
  type Step,
  faultKinds,
} from "./plan.js";
import { makeTroubles } from "./make-troubles.js";
import { RandomStream } from "./random-stream.js";

/** A seed's run has at least so many devices, writes and kinds of trouble. */
const leastDevices = 3;
const leastWrites = 200;
const leastFaults = 2;

/**
 * Kinds that no seed has by itself: what a server that fell back or was emptied has lost is another's to settle, and
 * they are asked for by name.
 */
const byName: readonly FaultKind[] = ["restore", "wipe", "forget"];

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
  const endMs = operations.at(-1)?.atMs ?? 0;
  const troubles = makeTroubles(random.split("troubles"), faults, devices, endMs);
  const small = random.chance(0.5);
  return {
    seed,
    faults,
    devices,
    spaces,
    limits: {
      maxPageRows: small ? random.between(1, 12) : 1_000,
      maxEventsPerRequest: random.chance(0.5) ? random.between(1, 20) : 100,
      maxPageBytes: random.chance(0.2) ? random.between(200, 3_000) : 1_000_000,
    },
    ...(faults.forget !== undefined && { retention: forgetful }),
    serverSlowness: random.chance(0.4) ? 0.05 : 0,
    steps: inOrder([...operations, ...troubles]),
  };
}

const inOrder = (steps: readonly Step[]): Step[] =>
  steps
    .map((step, place) => ({ step, place }))
    .sort((a, b) => a.step.atMs - b.step.atMs || a.place - b.place)
    .map(({ step }) => step);

function makeDevices(random: RandomStream): DevicePlan[] {
  return Array.from({ length: random.between(leastDevices, 5) }, (_, at) => ({
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
  const possible = faultKinds.filter((kind) => !byName.includes(kind) && (kind !== "tabs" || hasTabs));
  const wanted = random.between(leastFaults, Math.min(8, possible.length));
  const chosen: Partial<Record<FaultKind, number>> = {};
  while (Object.keys(chosen).length < wanted)
    chosen[random.pick(possible)] = Math.round((0.05 + random.fraction() ** 2) * 1_000) / 1_000;
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
  const target = leastWrites + 25 + random.below(50);
  // One device is often busier than the others.
  const busy = random.below(devices.length);
  const weights = actWeights(random.split("weights"));
  while (writes < target) {
    atMs += gapMs(random);
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
    });
  }
  return operations;
}

type ActName = Act["do"];

/** How often each thing is done, different for each seed. */
function actWeights(random: RandomStream): Record<ActName, number> {
  const usual: Record<ActName, number> = {
    edit: 40,
    create: 10,
    restore: 4,
    expect: 4,
    increment: 10,
    mark: 10,
    delete: 7,
    deleteMany: 1,
    probe: 12,
    pair: 8,
    pay: 8,
    inbox: 5,
    sync: 3,
  };
  return Object.fromEntries(
    Object.entries(usual).map(([name, weight]) => [name, weight * (0.2 + 1.6 * random.fraction())]),
  ) as Record<ActName, number>;
}

const noteKeys = ["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"];
const folderKeys = ["f1", "f2", "f3"];
const taskKeys = ["t1", "t2", "t3", "t4", "t5", "t6"];
const purseKeys = ["p1", "p2", "p3"];

interface Place {
  readonly domain: string;
  readonly key: string;
  readonly set: Readonly<Record<string, unknown>>;
}

/** A record with something new for it; the text names the act, so that a person can follow it. */
function makePlace(random: RandomStream, name: string): Place {
  const domain = random.weighted({ note: 55, folder: 15, task: 25, purse: 5 });
  // Most edits meet on few keys; some are alone on their own.
  const isOwn = random.chance(0.15);
  const key = (keys: readonly string[]): string => (isOwn ? `${domain[0]}-${name}` : random.pick(keys));
  switch (domain) {
    case "note":
      return {
        domain,
        key: key(noteKeys),
        set: { title: `title ${name}`, ...(random.chance(0.5) && { body: `body ${name}` }) },
      };
    case "folder":
      return {
        domain,
        key: key(folderKeys),
        set: { name: `folder ${name}`, ...(random.chance(0.3) && { color: `color ${name}` }) },
      };
    case "task":
      return {
        domain,
        key: key(taskKeys),
        set: { folder: random.pick(folderKeys), number: random.below(20), done: random.chance(0.5) },
      };
    default:
      return { domain, key: random.pick(purseKeys), set: { coins: random.below(200) } };
  }
}

function makeAct(random: RandomStream, weights: Record<ActName, number>, name: string): Act {
  const what = random.weighted(weights);
  switch (what) {
    case "edit": {
      const place = makePlace(random, name);
      return place.domain === "note" && random.chance(0.15)
        ? { do: what, ...place, set: { title: `title ${name}` }, unset: ["body"] }
        : { do: what, ...place };
    }
    case "create":
    case "restore":
    case "expect":
      return { do: what, ...makePlace(random, name) };
    case "increment":
      return { do: what, key: random.pick(noteKeys), by: random.between(-3, 5) || 1 };
    case "mark":
      return {
        do: what,
        key: random.pick(noteKeys),
        add: random.chance(0.6),
        marks: [`m${random.below(6)}`],
      };
    case "delete": {
      const { domain, key, set } = makePlace(random, name);
      return { do: what, domain, key, ...(random.chance(0.8) && { otherwise: set }) };
    }
    case "deleteMany":
      return {
        do: what,
        domain: "note",
        keys: [random.pick(noteKeys.slice(0, 4)), random.pick(noteKeys.slice(4))],
      };
    case "probe":
      return { do: what, mark: `probe ${name}` };
    case "pair":
      return { do: what, token: `token ${name}` };
    case "pay":
      return {
        do: what,
        from: random.pick(purseKeys),
        to: random.pick(purseKeys),
        coins: random.between(1, 20),
      };
    case "inbox":
      return {
        do: what,
        at: random.below(5),
        choice: random.weighted({ retry: 3, writeAgain: 3, keepCopy: 2, dismiss: 3 }),
      };
    case "sync":
      return { do: what };
  }
}
