import { act } from "./app.js";
import { judge } from "./checkers/all.js";
import type { Bounds, History } from "./history.js";
import { calm } from "./network/weather.js";
import { type Operation, type Plan, isOperation } from "./plan.js";
import { schemaFacts } from "./schema.js";
import type { ServerNode } from "./server-node.js";
import type { Tab } from "./tab.js";
import type { TraceLine } from "./trace.js";
import { makeTrouble } from "./troubles.js";
import { addWitness, pullFromZero } from "./witness.js";
import { weatherOf } from "./weather-of-plan.js";
import { World } from "./world.js";

/** Something that must not be. */
export interface Problem {
  /** What found it: runs fail alike where this is the same. */
  readonly check: string;
  readonly text: string;
}

export interface RunResult {
  readonly plan: Plan;
  /** Equal for two runs exactly when the same things happened. */
  readonly hash: string;
  readonly history: History;
  /** Empty when nothing is wrong. */
  readonly problems: readonly Problem[];
  /** How often each thing happened that is worth counting. */
  readonly counts: ReadonlyMap<string, number>;
  /** Writes that apps made. */
  readonly writes: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly trace: readonly TraceLine[];
}

/** What is allowed after the faults have stopped. */
const bounds: Bounds = { quietWithinMs: 1_800_000, quietRequests: 400, rows: 5_000, outcomes: 1_000 };

const never = Number.POSITIVE_INFINITY;

/** How long after a look at whether everything is quiet the next one follows: longer and longer. */
const firstLookMs = 500;
/**
 * And the first one, where a server has gone back: devices hear of it when their sockets are open again, and those that have
 * none ask every minute; until then all of them are at rest with what it has lost.
 */
const firstLookAfterRestoreMs = 120_000;
const longestLookMs = 30_000;

/** Runs a plan to its end. */
export async function run(
  plan: Plan,
  { keepTrace = false }: { readonly keepTrace?: boolean } = {},
): Promise<RunResult> {
  const world = new World(plan, { keepTrace });
  const problems: Problem[] = [];
  const done = { writes: 0 };
  try {
    await live(world, done);
    if (!(await becomesQuiet(world)) || !(await isWitnessed(world)))
      problems.push({ check: "quiet", text: `It did not become quiet: ${unrest(world)}` });
    problems.push(...agree(world));
  } catch (error) {
    problems.push({ check: "end", text: textOf(error) });
  }
  for (const text of world.faults) problems.push({ check: "fault", text });
  const history = historyOf(world);
  problems.push(...judged(history));
  return {
    plan,
    hash: world.trace.hash,
    history,
    problems,
    counts: world.counts,
    writes: done.writes,
    steps: world.queue.steps,
    virtualMs: world.queue.nowMs,
    trace: world.trace.lines,
  };
}

/** What the checkers say; one that cannot go on with what was written down is wrong too. */
function judged(history: History): Problem[] {
  try {
    return judge(history).map(({ checker, at, message }) => ({
      check: checker,
      text: `${(at / 1_000).toFixed(3)} s: ${message}`,
    }));
  } catch (error) {
    return [{ check: "judge", text: textOf(error) }];
  }
}

const textOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

function historyOf({ plan, devices, recorder }: World): History {
  return {
    seed: plan.seed,
    schema: schemaFacts,
    users: Object.fromEntries(devices.map(({ name, plan: { user } }) => [name, user])),
    entries: recorder.entries,
    overflow: recorder.overflow,
    bounds,
  };
}

/** The part of a run in which there is trouble, up to its end. */
async function live(world: World, done: { writes: number }): Promise<void> {
  const { plan, queue } = world;
  await begin(world);
  world.isTroubled = true;
  for (const step of plan.steps)
    queue.at(step.atMs, () => {
      if (!isOperation(step)) makeTrouble(world, step);
      else if (done.writes < (step.unlessMade ?? never) && operate(world, step)) done.writes += 1;
    });
  let ended = false;
  queue.at((plan.steps.at(-1)?.atMs ?? 0) + 1, () => (ended = true));
  await queue.drive(() => ended);
  heal(world);
}

/** Waits for something that the world's own steps bring about. */
const within = <T>({ queue }: World, work: Promise<T>): Promise<T> =>
  queue.settle(work, bounds.quietWithinMs);

async function begin(world: World): Promise<void> {
  const { plan } = world;
  await within(world, world.server.start());
  const { engine } = world.server.node as ServerNode;
  for (const space of plan.spaces) {
    await within(world, engine.createSpace({ id: "ann" }, space));
    await within(world, engine.setMember({ id: "ann" }, space, "ben", "writer"));
  }
  world.server.slowness = plan.serverSlowness;
  for (const device of world.devices) {
    device.line.weather = weatherOf(plan, device.random.split("weather"));
    device.start();
  }
}

/** A person uses what works: another tab or device where the planned one is gone, or does not react. */
function operate(world: World, { atMs, device, tab, space, act: what }: Operation): boolean {
  const { devices, plan } = world;
  const name = plan.spaces[space] ?? plan.spaces[0] ?? "";
  const first = Math.max(
    0,
    devices.findIndex((each) => each.plan.number === device),
  );
  const works = (each: Tab | undefined): boolean =>
    each !== undefined && each.program.alive && !each.program.frozen && each.spaces.has(name);
  for (const each of [...devices.slice(first), ...devices.slice(0, first)]) {
    const found = [each.tabs[tab], ...each.tabs].find(works);
    if (!found) continue;
    if (act(found, name, what)) return true;
    // Who could not do that does something else.
    const other = { title: `instead at ${atMs}` };
    return (
      what.do !== "sync" &&
      what.do !== "draft" &&
      act(found, name, { do: "edit", domain: "note", key: "instead", set: other })
    );
  }
  return false;
}

/** All trouble stops: what is down comes back, and nothing more goes wrong. */
function heal(world: World): void {
  world.recorder.add({ type: "faultsOver" });
  world.trace.note("world", "healed");
  world.isTroubled = false;
  world.server.crash = world.server.refusal = undefined;
  world.server.slowness = 0;
  world.server.clock.set(0);
  const { isMixed } = world;
  // In the end everybody has the newest version.
  if (isMixed) world.server.upgrade();
  world.startServer();
  for (const device of world.devices) {
    device.line.weather = calm;
    device.line.blockedToServer = device.line.blockedFromServer = false;
    device.line.turn(true);
    device.clock.set(0);
    delete device.disk.options.maxBytes;
    if (isMixed) device.upgrade();
    device.mendDisk();
    device.sleepsForMs = undefined;
    for (const tab of device.tabs) {
      tab.crash = undefined;
      tab.program.thaw();
    }
    device.start();
  }
}

const living = (world: World) => world.devices.flatMap(({ tabs }) => tabs);

/** Whether all devices show the same. */
function same(world: World): boolean {
  const tabs = living(world);
  return world.plan.spaces.every((space) => new Set(tabs.map((tab) => tab.shown(space))).size === 1);
}

async function becomesQuiet(world: World): Promise<boolean> {
  const { queue } = world;
  const endMs = queue.nowMs + bounds.quietWithinMs;
  let quiet = false;
  const mayBeUnheard = world.plan.faults.restore !== undefined && !world.isQuiet;
  let pauseMs = mayBeUnheard ? firstLookAfterRestoreMs : firstLookMs;
  const look = (): void => {
    quiet = living(world).every((tab) => tab.quiet) && same(world);
    pauseMs = Math.min(pauseMs * 1.5, longestLookMs);
    queue.after(pauseMs, look);
  };
  queue.after(pauseMs, look);
  await queue.drive(() => quiet || queue.nowMs >= endMs);
  if (quiet && !world.isQuiet) world.recorder.add({ type: "quiet" });
  world.isQuiet ||= quiet;
  return quiet;
}

/** Lets one who knew nothing see what there is. @returns false when it never comes to see it. */
async function isWitnessed(world: World): Promise<boolean> {
  for (const space of world.plan.spaces) await within(world, pullFromZero(world, space));
  for (const device of world.devices) device.measure();
  addWitness(world);
  return becomesQuiet(world);
}

/** Why it is not quiet, for a person. */
function unrest(world: World): string {
  return living(world)
    .map((tab) => {
      const { state, reason, pending } = tab.client.status;
      return `${tab.program.name} ${state}${reason === "" ? "" : ` (${reason})`}, ${pending.count} pending, ${tab.spaces.size} open`;
    })
    .join("; ");
}

/** What the devices show at the end, and what one that knew nothing is given, must be the same. */
function agree(world: World): Problem[] {
  const problems: Problem[] = [];
  for (const tab of living(world)) tab.final();
  for (const space of world.plan.spaces) {
    const shown = new Map<string, string[]>();
    for (const tab of living(world)) {
      const text = tab.shown(space);
      shown.set(text, [...(shown.get(text) ?? []), tab.program.name]);
    }
    if (shown.size > 1)
      problems.push({
        check: "convergence",
        text: `${space} is not the same everywhere:\n${[...shown].map(([text, names]) => `${names.join(", ")}: ${text}`).join("\n")}`,
      });
  }
  return problems;
}
