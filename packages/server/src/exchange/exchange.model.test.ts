import { type Op, type Row, type SpaceSuccess, anyFieldKind } from "@landfall/protocol";
import { defineSchema, records } from "@landfall/schema";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { TestDevice, type World, addMember, world } from "./device.test.fixture.js";
import { NaiveReplica } from "./naive-replica.test.fixture.js";

const schema = defineSchema({
  version: 1,
  domains: {
    project: records({ fields: z.object({ a: z.number().optional(), b: z.number().optional() }) }),
    point: records({
      fields: z.object({ project: z.string().optional(), a: z.number().optional(), votes: z.number().default(0) }),
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
    const set = domain === "point" ? { a: draw(100), ...(draw(3) === 0 ? { project: `k${draw(6)}` } : {}) } : { [draw(2) === 0 ? "a" : "b"]: draw(100) };
    switch (draw(8)) {
      case 0:
        return { op: "delete", domain, key };
      case 1:
        return { op: "create", domain, key, set };
      case 2:
        return domain === "point" ? { op: "increment", domain, key, by: { votes: 1 + draw(5) } } : { op: "put", domain, key, set };
      case 3:
        return { op: "deleteMany", domain, keys: [key, `k${draw(6)}`].filter((one, i, all) => all.indexOf(one) === i) };
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
  const answer = await reader.send([], { cursors: Object.fromEntries(domains.map((domain) => [domain, 0])), limit: 10_000 });
  const rows = [...answer.rows].filter(({ deleted }) => !deleted).sort((x, y) => (`${x.domain}/${x.key}` < `${y.domain}/${y.key}` ? -1 : 1));
  return { head: answer.head, rows };
}

/** One request of one client, whose answer may be lost; checks the cut whenever base moves. */
async function turn(here: World, replica: NaiveReplica, draw: Draw, options: { readonly lossy: boolean }): Promise<void> {
  const sent = draw(3) === 0 ? [] : replica.due(1 + draw(4));
  const limit = 1 + draw(6);
  const asking = { ...replica.asking(), limit };
  let moved: boolean;
  let digests: SpaceSuccess["digests"];
  if (draw(4) === 0) {
    const lines = await replica.device.stream(sent, asking);
    if (options.lossy && draw(3) === 0) lines.splice(draw(lines.length));
    moved = replica.takeStream(lines, sent);
    digests = (lines.find(({ type }) => type === "end") as { digests?: SpaceSuccess["digests"] } | undefined)?.digests;
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

async function play(draw: Draw, steps: number, withSchema: boolean): Promise<void> {
  const here = await world(withSchema ? { schema } : {});
  await addMember(here, "bob", "writer");
  const kinds = (domain: string) => (withSchema ? (schema.domain(domain)?.fieldKind ?? anyFieldKind) : anyFieldKind);
  const replicas = ["ann", "bob", "ann"].map((user) => new NaiveReplica(new TestDevice(here, user), domains, kinds));
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
      if (replica.pending.length === 0 && replica.settled.length === before && replica.due(1).length === 0) break;
    }
    expect(replica.pending).toEqual([]);
  }
  for (const replica of replicas) {
    while (!replica.take(await replica.device.send([], { ...replica.asking(), limit: 3 }), []));
  }
  const now = await truth(here);
  for (const replica of replicas) expect(replica.live()).toEqual(now.rows);
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

test("rules 3 and 5: with lost answers, small pages, cut streams and cleared tombstones every finished pull is the server's state, digest and all", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(tape, (numbers) => play(reader(numbers), 120, false)),
    { numRuns: 40 },
  );
});

test("rules 3 and 5: the same with masters touched and details deleted behind the ops", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(tape, (numbers) => play(reader(numbers), 120, true)),
    { numRuns: 40 },
  );
});
