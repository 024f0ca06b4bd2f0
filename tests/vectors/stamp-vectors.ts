import {
  HybridClock,
  ReceiveClock,
  effectiveStamp,
  isStamp,
  makeStamp,
  makeTail,
  maxStampMs,
} from "@landfall/protocol";

const today = 1_795_000_000_000;
const tail = "9a3f-00c0ffee0001";

const texts = [
  { ms: 0, counter: 0, random: "0000000000000000" },
  { ms: today, counter: 0, random: "0000000000000000" },
  { ms: today, counter: 1, random: "ffffffffffffffff" },
  { ms: today + 1, counter: 0xfff, random: "0123456789abcdef" },
  { ms: 0x0123456789ab, counter: 0xcde, random: "80c0ffee00c0ffee" },
  { ms: maxStampMs, counter: 0xfff, random: "c000000000000000" },
];

const noStamps = [
  "",
  "019a3b9e-5c11-7000-9a3f-00c0ffee000",
  "019a3b9e-5c11-7000-9a3f-00c0ffee00011",
  "019A3B9E-5C11-7000-9A3F-00C0FFEE0001",
  "019a3b9e-5c11-4000-9a3f-00c0ffee0001",
  "019a3b9e-5c11-7000-7a3f-00c0ffee0001",
  "019a3b9e-5c11-7000-ca3f-00c0ffee0001",
  "019a3b9e5c1170009a3f00c0ffee0001",
  "{019a3b9e-5c11-7000-9a3f-00c0ffee0001}",
];

/** What a clock is told in turn: the wall clock's time for a new stamp, or a stamp that was seen. */
type Step = { readonly now: number } | { readonly seen: string };

const seen = (ms: number, counter: number): Step => ({ seen: makeStamp(ms, counter, "b000-000000000001") });

const clocks: readonly {
  readonly about: string;
  readonly floorMs: number;
  readonly steps: readonly Step[];
}[] = [
  {
    about: "time that goes on",
    floorMs: 0,
    steps: [{ now: today }, { now: today + 1 }, { now: today + 5.7 }],
  },
  {
    about: "time that stands still, then goes back",
    floorMs: 0,
    steps: [{ now: today }, { now: today }, { now: today - 60_000 }, { now: today + 1 }],
  },
  {
    about: "a floor from an earlier session",
    floorMs: today + 1_000,
    steps: [{ now: today }, { now: today }, { now: today + 1_002 }],
  },
  {
    about: "a stamp of another that lies ahead",
    floorMs: 0,
    steps: [{ now: today }, seen(today + 500, 7), { now: today + 1 }, { now: today + 501 }],
  },
  {
    about: "a full counter borrows the next millisecond",
    floorMs: 0,
    steps: [
      { now: today },
      seen(today, 0xffe),
      { now: today },
      { now: today },
      { now: today },
      { now: today + 2 },
    ],
  },
  {
    about: "a wall clock that says no time, and stamps past the year 9999, move nothing",
    floorMs: 0,
    steps: [{ now: today }, { now: -1 }, { now: 1e15 }, seen(253_402_300_800_000, 0), { now: 0 }],
  },
];

const receipts = [
  { about: "before its receipt", id: makeStamp(today - 1, 0, tail), received: { ms: today, counter: 0 } },
  { about: "at its receipt", id: makeStamp(today, 3, tail), received: { ms: today, counter: 3 } },
  {
    about: "a counter after its receipt",
    id: makeStamp(today, 4, tail),
    received: { ms: today, counter: 3 },
  },
  { about: "years ahead", id: makeStamp(today + 1e11, 9, tail), received: { ms: today, counter: 0xfff } },
  { about: "at the end of time", id: makeStamp(maxStampMs, 0xfff, tail), received: { ms: 1, counter: 0 } },
];

const commits = [
  {
    about: "commits of one, two and three events",
    last: { ms: 0, counter: 0 },
    commits: [
      { now: today, events: 1 },
      { now: today + 10, events: 2 },
      { now: today + 20, events: 3 },
    ],
  },
  {
    about: "two commits in the same millisecond, and a clock that goes back",
    last: { ms: today, counter: 5 },
    commits: [
      { now: today, events: 1 },
      { now: today - 100, events: 2 },
    ],
  },
];

/** Texts, clocks, receipts: rule 6. */
export function stampVectors(): object {
  return {
    texts: texts.map(({ ms, counter, random }) => {
      const made = makeTail(Buffer.from(random, "hex"));
      return { ms, counter, random, tail: made, stamp: makeStamp(ms, counter, made) };
    }),
    noStamps: noStamps.map((text) => {
      if (isStamp(text)) throw new Error(`${text} is a stamp`);
      return text;
    }),
    clocks: clocks.map(({ about, floorMs, steps }) => {
      let nowMs = 0;
      const clock = new HybridClock({ now: () => nowMs, tail, floorMs });
      const told = steps.map((step) => {
        if ("seen" in step) {
          clock.observe(step.seen);
          return step;
        }
        nowMs = step.now;
        return { ...step, stamp: clock.next() };
      });
      return { about, floorMs, tail, steps: told };
    }),
    effective: receipts.map((receipt) => ({ ...receipt, eff: effectiveStamp(receipt.id, receipt.received) })),
    received: commits.map(({ about, last, commits }) => {
      const clock = new ReceiveClock(last);
      return {
        about,
        last,
        commits: commits.map(({ now, events }) => {
          const modifiedAt = clock.beginCommit(now);
          return { now, modifiedAt, readings: Array.from({ length: events }, () => ({ ...clock.next() })) };
        }),
      };
    }),
  };
}
