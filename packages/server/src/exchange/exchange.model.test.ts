import { type Op, type Row, type SpaceSuccess, anyFieldKind } from "@landfall/protocol";
import { defineSchema, records } from "@landfall/schema";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { TestDevice, type TestEvent, type World, addMember, world } from "./device.test.fixture.js";
import { verify } from "../operations/verify.js";
import { sqlite } from "../storage/sqlite.js";
import { NaiveReplica } from "./naive-replica.test.fixture.js";
import { slowStorage } from "./slow-storage.test.fixture.js";

const schema = defineSchema({
  version: 1,
  domains: {
    project: records({ fields: z.object({ a: z.number().optional(), b: z.number().optional() }) }),
    point: records({
      fields: z.object({
        project: z.string().optional(),
        a: z.number().optional(),
        votes: z.number().default(0),
      }),
      merge: { votes: { merge: "counter" } },
      parent: { domain: "project", field: "project", onDelete: "cascade" },
    }),
  },
});
const domains = ["project", "point"];

/** A source of small numbers from a seed that fast-check can shrink. */
type Draw = (below: number) => number;

function randomOps(draw: Draw): Op[] {
  const pair = draw(3) === 0;
  return (pair ? domains : [domains[draw(2)] as string]).map((domain): Op => {
    const key = `k${draw(6)}`;
    const set =
      domain === "point"
        ? { a: draw(100), ...(draw(3) === 0 ? { project: `k${draw(6)}` } : {}) }
        : { [draw(2) === 0 ? "a" : "b"]: draw(100) };
    switch (draw(8)) {
      case 0:
        return { op: "delete", domain, key };
      case 1:
        return { op: "create", domain, key, set };
      case 2:
        return domain === "point"
          ? { op: "increment", domain, key, by: { votes: 1 + draw(5) } }
          : { op: "put", domain, key, set };
      case 3:
        return {
          op: "deleteMany",
          domain,
          keys: [key, `k${draw(6)}`].filter((one, i, all) => all.indexOf(one) === i),
        };
      case 4:
      case 5:
        return { op: "put", domain, key, set: domain === "point" ? { ...set } : set };
      default:
        return { op: "update", domain, key, set };
    }
  });
}

/** All live rows, as they are on the server now. */
async function truth(here: World): Promise<{ readonly head: number; readonly rows: Row[] }> {
  const reader = new TestDevice(here, "ann", "reader");
  const answer = await reader.send([], {
    cursors: Object.fromEntries(domains.map((domain) => [domain, 0])),
    limit: 10_000,
  });
  const rows = [...answer.rows]
    .filter(({ deleted }) => !deleted)
    .sort((x, y) => (`${x.domain}/${x.key}` < `${y.domain}/${y.key}` ? -1 : 1));
  return { head: answer.head, rows };
}

/** One request of one client, whose answer may be lost; checks the cut whenever base moves. */
async function turn(
  here: World,
  replica: NaiveReplica,
  draw: Draw,
  options: { readonly lossy: boolean },
): Promise<void> {
  const sent = draw(3) === 0 ? [] : replica.due(1 + draw(4));
  const limit = 1 + draw(6);
  const asking = { ...replica.asking(), limit };
  let moved: boolean;
  let digests: SpaceSuccess["digests"];
  if (draw(4) === 0) {
    const lines = await replica.device.stream(sent, asking);
    if (options.lossy && draw(3) === 0) lines.splice(draw(lines.length));
    moved = replica.takeStream(lines, sent);
    digests = (lines.find(({ type }) => type === "end") as { digests?: SpaceSuccess["digests"] } | undefined)
      ?.digests;
  } else {
    const answer = await replica.device.send(sent, asking);
    if (options.lossy && draw(4) === 0) return;
    moved = replica.take(answer, sent);
    digests = answer.digests;
  }
  if (!moved) return;
  const now = await truth(here);
  expect(replica.live()).toEqual(now.rows);
  for (const domain of domains) expect(replica.digest(domain, now.head)).toEqual(digests?.[domain]);
}

async function prune(here: World, draw: Draw): Promise<void> {
  const { head } = await truth(here);
  await here.storage.pruneTombstones(here.space, domains[draw(2)] as string, Math.max(0, head - draw(6)));
}

async function play(
  draw: Draw,
  steps: number,
  withSchema: boolean,
  storage = sqlite(":memory:"),
): Promise<void> {
  const here = await world({ storage, ...(withSchema ? { schema } : {}) });
  await addMember(here, "bob", "writer");
  const kinds = (domain: string) =>
    withSchema ? (schema.domain(domain)?.fieldKind ?? anyFieldKind) : anyFieldKind;
  const replicas = ["ann", "bob", "ann"].map(
    (user) => new NaiveReplica(new TestDevice(here, user), domains, kinds),
  );
  for (let step = 0; step < steps; step++) {
    here.clock.nowMs += draw(3);
    const replica = replicas[draw(3)] as NaiveReplica;
    const what = draw(10);
    if (what < 4) replica.pending.push(replica.device.event(randomOps(draw)));
    else if (what < 9) await turn(here, replica, draw, { lossy: true });
    else if (draw(3) === 0) await prune(here, draw);
  }
  for (const replica of replicas) {
    for (let round = 0; round < 200; round++) {
      const before = replica.settled.length;
      await turn(here, replica, draw, { lossy: false });
      if (replica.pending.length === 0 && replica.settled.length === before && replica.due(1).length === 0)
        break;
    }
    expect(replica.pending).toEqual([]);
  }
  for (const replica of replicas) {
    while (!replica.take(await replica.device.send([], { ...replica.asking(), limit: 3 }), []));
  }
  const now = await truth(here);
  for (const replica of replicas) expect(replica.live()).toEqual(now.rows);
  expect((await storage.read((snapshot) => verify(snapshot))).findings).toEqual([]);
  await here.engine.close();
}

/** What an event did, as its device was told. */
interface Told {
  readonly index: number;
  readonly eff: string;
  readonly ops: readonly Op[];
}

/** Asks again for the outcome of every event that was handled: the answers that were lost are among them. */
async function allTold(
  replicas: readonly NaiveReplica[],
  sent: ReadonlyMap<NaiveReplica, readonly TestEvent[]>,
): Promise<Told[]> {
  const told: Told[] = [];
  for (const replica of replicas) {
    const events = sent.get(replica) ?? [];
    for (const outcome of (await replica.device.send(events)).outcomes) {
      expect(outcome.status).toBe("duplicate");
      if (!("index" in outcome)) continue;
      const { ops } = events.find(({ seq }) => seq === outcome.seq) as TestEvent;
      told.push({ index: outcome.index, eff: outcome.eff ?? outcome.id, ops: ops as readonly Op[] });
    }
  }
  return told.sort((x, y) => x.index - y.index);
}

/**
 * The state that the events come to in the server's order, worked out with the plainest means: for each field
 * the writer with the highest stamp, for each counter the sum. Without a schema and without clearing of
 * tombstones, which would let a deleted key begin anew.
 */
function replay(told: readonly Told[]): Map<string, Record<string, unknown>> {
  interface Naive {
    readonly born: string;
    readonly fields: Map<string, { readonly stamp: string; readonly value: unknown }>;
    readonly sums: Map<string, number>;
    dead: boolean;
  }
  const records = new Map<string, Naive>();
  for (const { eff, ops } of told) {
    for (const op of ops) {
      for (const key of op.op === "deleteMany" ? (op.keys ?? []) : [op.key]) {
        const name = `${op.domain}/${key}`;
        let record = records.get(name);
        if (op.op === "delete" || op.op === "deleteMany") {
          if (record) record.dead = true;
          continue;
        }
        if (!record)
          records.set(name, (record = { born: eff, fields: new Map(), sums: new Map(), dead: false }));
        if (op.op === "increment") {
          for (const [field, by] of Object.entries(op.by))
            record.sums.set(field, (record.sums.get(field) ?? 0) + by);
          continue;
        }
        for (const [field, value] of Object.entries(("set" in op ? op.set : undefined) ?? {})) {
          const standing = record.fields.get(field)?.stamp ?? record.born;
          if (eff >= standing) record.fields.set(field, { stamp: eff, value });
        }
      }
    }
  }
  const live = [...records].filter(([, { dead }]) => !dead);
  return new Map(
    live.map(([name, { fields, sums }]) => [
      name,
      {
        ...Object.fromEntries([...fields].map(([field, { value }]) => [field, value])),
        ...Object.fromEntries(sums),
      },
    ]),
  );
}

async function playAndReplay(draw: Draw, steps: number): Promise<void> {
  const here = await world();
  await addMember(here, "bob", "writer");
  const replicas = ["ann", "bob", "ann"].map((user) => new NaiveReplica(new TestDevice(here, user), domains));
  const sent = new Map<NaiveReplica, TestEvent[]>(replicas.map((replica) => [replica, []]));
  for (const [i, { device }] of replicas.entries()) device.skewMs = [0, 5_000, -5_000][i] as number;
  for (let step = 0; step < steps; step++) {
    here.clock.nowMs += draw(2_000);
    const replica = replicas[draw(3)] as NaiveReplica;
    if (draw(2) === 0) {
      const event = replica.device.event(randomOps(draw));
      replica.pending.push(event);
      sent.get(replica)?.push(event);
    } else await turn(here, replica, draw, { lossy: true });
  }
  for (const replica of replicas)
    while (replica.pending.length > 0) await turn(here, replica, draw, { lossy: false });
  const { rows } = await truth(here);
  const replayed = replay(await allTold(replicas, sent));
  expect(
    new Map(rows.map((row) => [`${row.domain}/${row.key}`, { ...(row as { fields: object }).fields }])),
  ).toEqual(replayed);
  expect((await here.storage.read((snapshot) => verify(snapshot))).findings).toEqual([]);
  await here.engine.close();
}

const tape = fc.array(fc.nat(999), { minLength: 200, maxLength: 1_200 });

/** Reads numbers off a tape, and starts it again when it ends. */
function reader(numbers: readonly number[]): Draw {
  let at = 0;
  return (below) => {
    at += 1;
    return ((numbers[at % numbers.length] as number) + Math.floor(at / numbers.length) * 7) % below;
  };
}

test("rules 3 and 5: with lost answers, small pages, cut streams and cleared tombstones every finished pull is the server's state, digest and all", async () => {
  await fc.assert(
    fc.asyncProperty(tape, (numbers) => play(reader(numbers), 120, false)),
    { numRuns: 40 },
  );
});

test("rules 3 and 5: the same with masters touched and details deleted behind the ops", async () => {
  await fc.assert(
    fc.asyncProperty(tape, (numbers) => play(reader(numbers), 120, true)),
    { numRuns: 40 },
  );
});

test("§7: the same over a storage that answers later, as one on another machine does", async () => {
  await fc.assert(
    fc.asyncProperty(tape, (numbers) => play(reader(numbers), 120, true, slowStorage(sqlite(":memory:")))),
    { numRuns: 15 },
  );
});

test("rules 4 and 6: the server's state is what a naive replay of the events in the order of their indexes gives", async () => {
  await fc.assert(
    fc.asyncProperty(tape, (numbers) => playAndReplay(reader(numbers), 150)),
    { numRuns: 30 },
  );
});
