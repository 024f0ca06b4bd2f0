import { actWeights, makeAct } from "./make-act.js";
import type { Act, DevicePlan, Operation, Plan, Trouble } from "./plan.js";
import type { RandomStream } from "./random-stream.js";

interface Rush {
  /** Those of a server under which a long outbox takes its ways: two full requests at a time, or a very long one. */
  readonly limits: Plan["limits"];
  readonly operations: readonly Operation[];
  readonly troubles: readonly Trouble[];
}

/** Where people are: in one tab each. */
type Seat = Pick<Operation, "device" | "tab">;

/** Writes of any of some people, one soon after another. */
function burst(
  random: RandomStream,
  seats: readonly Seat[],
  { fromMs, times, mostMs }: { fromMs: number; times: number; mostMs: number },
  act: (at: number) => Act,
): Operation[] {
  let atMs = fromMs;
  return Array.from({ length: times }, (_, at) => {
    atMs += random.between(1, mostMs);
    return { type: "act", atMs, ...random.pick(seats), space: 0, act: act(at) };
  });
}

const endOf = (operations: readonly Operation[]): number => (operations.at(-1)?.atMs ?? 0) + 1;

/** What a device sends arrives and no answer comes back, for so long. */
const unheard = (device: number, atMs: number, forMs: number): Trouble => ({
  type: "partition",
  atMs,
  device,
  to: false,
  from: true,
  forMs,
});

/** The line breaks now and then, which who waits for an answer notices at once. */
function breaks(random: RandomStream, device: number, fromMs: number, times: number): Trouble[] {
  let atMs = fromMs;
  return Array.from({ length: times }, () => {
    const forMs = random.between(20, 500);
    const trouble: Trouble = { type: "offline", atMs, device, forMs };
    atMs += forMs + random.between(300, 2_000);
    return trouble;
  });
}

/** Payments between purses that nobody deletes, and votes for a few records of the rush. */
function dealing(random: RandomStream): Act {
  const purses = ["rush-a", "rush-b", "rush-c"];
  return random.chance(0.7)
    ? { do: "pay", from: random.pick(purses), to: random.pick(purses), coins: random.between(1, 20) }
    : { do: "increment", key: `rush-${random.below(5)}`, by: 1 };
}

/**
 * Somebody works offline until much has gathered, and then comes back to where others are busy, over a line that is bad
 * at first.
 */
export function makeRush(random: RandomStream, devices: readonly DevicePlan[], endMs: number): Rush {
  const seats = devices.map(({ number, tabs }) => ({ device: number, tab: random.below(tabs) }));
  // Which of hundreds of writes another tab has heard of, no checker could tell.
  const alone = seats.filter((_, at) => devices[at]?.tabs === 1);
  const seat = random.pick(alone.length > 0 ? alone : seats);
  const where = { random, seats, seat, fromMs: random.below(Math.floor(endMs * 0.8)) };
  return random.chance(0.3) ? longRequest(where) : twoRequests(where);
}

interface Where {
  readonly random: RandomStream;
  readonly seats: readonly Seat[];
  readonly seat: Seat;
  readonly fromMs: number;
}

const away = ({ seat, fromMs }: Where, backMs: number): Trouble => ({
  type: "offline",
  atMs: fromMs,
  device: seat.device,
  forMs: backMs - fromMs,
});

/** They go on writing while what they have sent is unheard, and all of it goes with the next request. */
function longRequest(where: Where): Rush {
  const { random, seat, seats, fromMs } = where;
  const weights = actWeights(random.split("weights"), random.chance(0.7) ? "smooth" : "usual");
  const work = (at: number): Act => makeAct(random, weights, `rush-${at}`);
  const first = burst(random, [seat], { fromMs, times: random.between(80, 160), mostMs: 40 }, work);
  const backMs = endOf(first);
  const more = burst(random, [seat], { fromMs: backMs, times: random.between(240, 300), mostMs: 15 }, work);
  const busy = burst(random, seats, { fromMs: backMs, times: 60, mostMs: 80 }, work);
  const broken = breaks(random, seat.device, endOf(more) + random.below(1_000), random.between(2, 3));
  const heardMs = (broken.at(-1)?.atMs ?? 0) + 10;
  return {
    limits: { maxEventsPerRequest: 500, maxPageRows: random.pick([20, 1_000]), maxPageBytes: 1_000_000 },
    operations: [...first, ...more, ...busy],
    troubles: [away(where, backMs), unheard(seat.device, backMs, heardMs - backMs), ...broken],
  };
}

/**
 * Records are worked with, and then made, in turns as long as a request: the answer to one has several pages, and that
 * to the next, which is sent before it has come, has only one.
 */
function twoRequests(where: Where): Rush {
  const { random, seat, seats, fromMs } = where;
  const turn = 100;
  const make = (at: number): Act => ({
    do: "create",
    domain: "note",
    key: `rush-${at}`,
    set: { title: `rush ${at}` },
  });
  const rush = burst(random, [seat], { fromMs, times: random.between(190, 260), mostMs: 40 }, (at) =>
    Math.floor(at / turn) % 2 === 0 ? dealing(random) : make(at),
  );
  const backMs = endOf(rush);
  const busy = burst(random, seats, { fromMs: backMs - 2_000, times: 100, mostMs: 60 }, () =>
    dealing(random),
  );
  const lost = random.chance(0.4) ? [unheard(seat.device, backMs, random.between(1_000, 60_000))] : [];
  return {
    limits: {
      maxEventsPerRequest: turn,
      maxPageRows: random.pick([3, 4, 5, 1_000]),
      maxPageBytes: 1_000_000,
    },
    operations: [...rush, ...busy],
    troubles: [away(where, backMs), ...lost],
  };
}
