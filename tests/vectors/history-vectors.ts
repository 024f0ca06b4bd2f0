import { type ExchangeAnswer, type SpaceSuccess, makeStamp } from "@landfall/protocol";
import { createEngine } from "@landfall/server/engine";
import { sqlite } from "@landfall/server/storage/sqlite";

const today = 1_795_000_000_000;
const [ann, bob] = ["a000-00000000000a", "b000-00000000000b"];

/** An event of one of two devices: made at a time of its own clock, received at the server's. */
interface Input {
  readonly about: string;
  readonly device: "ann" | "bob";
  /** Milliseconds of its stamp, and of the server's clock when it arrives, after `start`. */
  readonly made: number;
  readonly arrives: number;
  readonly body: { readonly [member: string]: unknown };
}

const d = "project";
const create = (key: string, set: object): object => ({ op: "create", domain: d, key, set });
const update = (key: string, set: object, unset?: readonly string[]): object => ({
  op: "update",
  domain: d,
  key,
  set,
  ...(unset ? { unset } : {}),
});
const ops = (...list: readonly object[]): { readonly ops: readonly object[] } => ({ ops: list });

const inputs: readonly Input[] = [
  {
    about: "a create",
    device: "ann",
    made: 0,
    arrives: 10,
    body: ops(create("p1", { name: "Bridge 7", open: true })),
  },
  {
    about: "another, of two records",
    device: "bob",
    made: 5,
    arrives: 20,
    body: ops(create("p2", {}), create("p3", { n: 1 })),
  },
  {
    about: "a create of a key that is taken",
    device: "bob",
    made: 6,
    arrives: 30,
    body: ops(create("p1", { name: "Mine" })),
  },
  {
    about: "a change of it, which depends on that create",
    device: "bob",
    made: 7,
    arrives: 40,
    body: ops(update("p1", { name: "Mine" })),
  },
  {
    about: "an update of two records",
    device: "ann",
    made: 100,
    arrives: 110,
    body: ops(update("p1", { name: "Bridge 8" }), update("p3", { n: 9 })),
  },
  {
    about: "an older update of two fields, one of which loses",
    device: "bob",
    made: 50,
    arrives: 120,
    body: ops(update("p3", { n: 2, m: 2 })),
  },
  {
    about: "an older update that loses whole",
    device: "bob",
    made: 49,
    arrives: 130,
    body: ops(update("p3", { n: 3 }, ["m"])),
  },
  {
    about: "a clock that is a year ahead",
    device: "bob",
    made: 31_536_000_000,
    arrives: 140,
    body: ops(update("p2", { from: "the future" })),
  },
  {
    about: "the same once more",
    device: "bob",
    made: 31_536_000_001,
    arrives: 140,
    body: ops(update("p2", { from: "the same future" })),
  },
  {
    about: "an honest one after it",
    device: "ann",
    made: 150,
    arrives: 160,
    body: ops(update("p2", { from: "now" })),
  },
  {
    about: "a counter and a set by first use",
    device: "ann",
    made: 160,
    arrives: 170,
    body: ops(
      { op: "increment", domain: d, key: "p1", by: { votes: 2 } },
      { op: "add", domain: d, key: "p2", values: { tags: ["b", "a", 1] } },
    ),
  },
  {
    about: "an increment of a clock behind",
    device: "bob",
    made: 8,
    arrives: 180,
    body: ops({ op: "increment", domain: d, key: "p2", by: { votes: 3 } }),
  },
  {
    about: "members that go",
    device: "ann",
    made: 170,
    arrives: 190,
    body: ops({ op: "remove", domain: d, key: "p2", values: { tags: ["a", "never"] } }),
  },
  { about: "an unset", device: "ann", made: 180, arrives: 200, body: ops(update("p1", {}, ["open"])) },
  {
    about: "an older write of what was unset",
    device: "ann",
    made: 179,
    arrives: 210,
    body: ops(update("p1", { open: false })),
  },
  { about: "void", device: "ann", made: 190, arrives: 220, body: { void: true } },
  {
    about: "an expectation that holds",
    device: "ann",
    made: 200,
    arrives: 230,
    body: {
      ...ops(update("p3", { n: 4 })),
      expect: [
        [d, "p3", 4],
        [d, "p9", 0],
      ],
    },
  },
  {
    about: "one that does not",
    device: "bob",
    made: 230,
    arrives: 240,
    body: { ...ops(update("p3", { n: 5 })), expect: [[d, "p3", 4]] },
  },
  {
    about: "two ops on one record",
    device: "bob",
    made: 231,
    arrives: 250,
    body: ops(update("p3", { n: 6 }), { op: "delete", domain: d, key: "p3" }),
  },
  {
    about: "a delete",
    device: "ann",
    made: 240,
    arrives: 260,
    body: ops({ op: "delete", domain: d, key: "p3" }),
  },
  {
    about: "a change of what is deleted",
    device: "bob",
    made: 250,
    arrives: 270,
    body: ops(update("p3", { n: 7 })),
  },
  {
    about: "a restore",
    device: "ann",
    made: 260,
    arrives: 280,
    body: { ...ops({ op: "restore", domain: d, key: "p3", set: { n: 0 } }), expect: [[d, "p3", 15]] },
  },
  {
    about: "a write older than the restore",
    device: "bob",
    made: 251,
    arrives: 290,
    body: ops(update("p3", { n: 8, fresh: 8 })),
  },
  {
    about: "a put of what is there, and of what is not",
    device: "ann",
    made: 270,
    arrives: 300,
    body: ops(
      { op: "put", domain: d, key: "p1", set: { name: "Quay" } },
      { op: "put", domain: d, key: "p4", set: { name: "New" } },
    ),
  },
  {
    about: "deleteMany of keys",
    device: "bob",
    made: 280,
    arrives: 310,
    body: ops({ op: "deleteMany", domain: d, keys: ["p4", "never"] }),
  },
  {
    about: "deleteMany up to a version",
    device: "ann",
    made: 290,
    arrives: 320,
    body: ops({ op: "deleteMany", domain: d, upTo: 15 }),
  },
  {
    about: "an expectation on an own event",
    device: "ann",
    made: 300,
    arrives: 330,
    body: { ...ops(update("p1", { last: true })), expect: [[d, "p1", { seq: 12 }]] },
  },
];

const user = { id: "ann" };

/** Events in the order of their arrival, what each came to, and what stands afterwards: rules 3, 6, 7, 9 and 10. */
export async function historyVectors(): Promise<object> {
  let nowMs = today;
  const storage = sqlite(":memory:");
  const engine = createEngine({ storage, clock: { now: () => nowMs } });
  const { space, generation } = await engine.createSpace(user, "site-7");
  const seqs = { ann: 0, bob: 0 };
  const exchange = async (device: string, part: object): Promise<SpaceSuccess> => {
    const request = { protocol: 1 as const, device, spaces: [{ space, generation, cursors: {}, ...part }] };
    const { spaces } = JSON.parse(await engine.exchange(user, request)) as ExchangeAnswer;
    return spaces[0] as SpaceSuccess;
  };
  const steps: object[] = [];
  for (const { about, device, made, arrives, body } of inputs) {
    nowMs = today + arrives;
    const seq = (seqs[device] += 1);
    const event = { id: makeStamp(today + made, 0, device === "ann" ? ann : bob), seq, ...body };
    const { head } = await exchange("reader", {});
    const { outcomes } = await exchange(device, { events: [event] });
    // What a server says to people is its own affair.
    const outcome = { ...(outcomes[0] as object), message: undefined };
    const { rows } = await exchange("reader", { cursors: { [d]: head === 0 ? 0 : head } });
    steps.push({ about, device, arrives: nowMs, event, outcome, rows });
  }
  const end = await exchange("reader", { cursors: { [d]: 0 } });
  await engine.close();
  return { space, domain: d, start: today, steps, rows: end.rows, digest: end.digests?.[d] };
}
