import type { SpaceHandle } from "@landfall/client";
import { type TestClient, createTestWorld } from "@landfall/client/testing";
import { type Json, type Stamp, canonicalJson, decode, infoAnswer } from "@landfall/protocol";
import { counter, defineSchema, records, set } from "@landfall/schema";
import { createServer, devTokens, sqlite } from "@landfall/server";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";

const schema = defineSchema({
  version: 1,
  domains: {
    project: records({
      fields: z.object({
        name: z.string(),
        note: z.string().optional(),
        votes: z.number(),
        tags: z.array(z.string()),
      }),
      merge: { votes: counter(), tags: set() },
    }),
  },
});
type Handle = SpaceHandle<typeof schema>;

const keys = ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"];
const key = fc.constantFrom(...keys);
const word = fc.constantFrom("ash", "birch", "cedar", "elm");
const edit = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("create" as const), key, name: word }) },
  {
    weight: 16,
    arbitrary: fc.record({
      do: fc.constant("update" as const),
      key,
      name: fc.option(word, { nil: undefined }),
      note: fc.option(word, { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unset" as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("vote" as const), key, by: fc.integer({ min: -2, max: 3 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("tag" as const, "untag" as const), key, tag: word }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
);
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

/** One record of the model: plain values with the stamp that each was written with. */
interface ModelRecord {
  deleted: boolean;
  born: Stamp;
  fields: Map<string, { value: Json | undefined; stamp: Stamp }>;
  votes: number;
  tags: Set<string>;
}

/** The naive model: events in the server's order, each field to the newest stamp. */
class Model {
  readonly records = new Map<string, ModelRecord>();

  apply(done: Edit, stamp: Stamp): void {
    if (done.do === "create") {
      this.records.set(done.key, {
        deleted: false,
        born: stamp,
        fields: new Map([["name", { value: done.name, stamp }]]),
        votes: 0,
        tags: new Set(),
      });
      return;
    }
    const record = this.records.get(done.key) as ModelRecord;
    const write = (field: string, value: Json | undefined): void => {
      const standing = record.fields.get(field)?.stamp ?? record.born;
      if (stamp > standing) record.fields.set(field, { value, stamp });
    };
    if (done.do === "update") {
      if (done.name !== undefined) write("name", done.name);
      if (done.note !== undefined) write("note", done.note);
    } else if (done.do === "unset") write("note", undefined);
    else if (done.do === "vote") record.votes += done.by;
    else if (done.do === "tag") record.tags.add(done.tag);
    else if (done.do === "untag") record.tags.delete(done.tag);
    else record.deleted = true;
  }

  view(): unknown {
    return [...this.records]
      .filter(([, record]) => !record.deleted)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([at, record]) => {
        const fields = Object.fromEntries(
          [...record.fields]
            .filter(([, { value }]) => value !== undefined)
            .map(([field, { value }]) => [field, value]),
        );
        return { key: at, ...fields, votes: record.votes, tags: [...record.tags].sort() };
      });
  }
}

function perform(site: Handle, done: Edit) {
  switch (done.do) {
    case "create":
      return site.project.create({ name: done.name }, { key: done.key });
    case "update":
      return site.project.update(done.key, {
        ...(done.name === undefined ? {} : { name: done.name }),
        ...(done.note === undefined ? {} : { note: done.note }),
      });
    case "unset":
      return site.project.update(done.key, {}, { unset: ["note"] });
    case "vote":
      return site.project.increment(done.key, { votes: done.by });
    case "tag":
      return site.project.add(done.key, { tags: [done.tag] });
    case "untag":
      return site.project.remove(done.key, { tags: [done.tag] });
    case "delete":
      return site.project.delete(done.key);
  }
}

const viewOf = (site: Handle): unknown => site.project.all().map(({ $: _meta, ...record }) => record);

/** The whole view, versions included, as canonical bytes. */
const bytesOf = (site: Handle): string => canonicalJson(site.project.all() as unknown as Json);

interface Person {
  readonly test: TestClient<typeof schema>;
  readonly site: Handle;
}

async function scenario(
  steps: readonly { readonly who: number; readonly edit: Edit; readonly land: boolean }[],
  begin: readonly Edit[] = [],
): Promise<{ readonly applied: number; readonly refused: number; readonly superseded: number }> {
  const reports: string[] = [];
  const server = createServer({ schema, storage: sqlite(":memory:"), auth: devTokens(), development: true });
  const world = createTestWorld({ schema, server });
  const people: Person[] = [];
  for (let i = 0; i < 2; i++) {
    const test = world.client("ann", { onReport: (code) => reports.push(code) });
    people.push({ test, site: await test.open("site-7") });
  }
  const written: { edit: Edit; by: number; settled: ReturnType<typeof perform>["settled"] }[] = begin.map(
    (done) => ({ edit: done, by: 0, settled: perform((people[0] as Person).site, done).settled }),
  );
  await world.settle();
  for (const { test } of people) test.offline();
  for (const { who, edit: done, land } of steps) {
    const { site, test } = people[who] as Person;
    try {
      written.push({ edit: done, by: who, settled: perform(site, done).settled });
    } catch {
      // What could not stand in one's own view was never written.
    }
    if (land) {
      test.online();
      await test.client.sync();
      test.offline();
    }
  }
  for (const { test } of people) test.online();
  await world.settle();

  const outcomes = await Promise.all(written.map(async (each) => ({ ...each, outcome: await each.settled })));
  const counts = { applied: 0, refused: 0, superseded: 0 };
  const model = new Model();
  for (const { outcome, by } of outcomes) {
    const inbox = (people[by] as Person).site.inbox.current;
    if (outcome.status === "rejected") {
      counts.refused += 1;
      expect(inbox.some((item) => item.event?.id === outcome.id && item.kind === "rejected")).toBe(true);
    } else if (outcome.status === "applied") {
      for (const lost of outcome.superseded ?? []) {
        counts.superseded += 1;
        expect(
          inbox.some(
            (item) =>
              item.kind === "superseded" && item.event?.id === outcome.id && item.field === lost.field,
          ),
        ).toBe(true);
      }
    }
  }
  const applied = outcomes.flatMap(({ edit: done, outcome }) =>
    outcome.status === "applied" ? [{ done, outcome }] : [],
  );
  counts.applied = applied.length;
  expect(applied.length + counts.refused).toBe(written.length);
  for (const { done, outcome } of applied.sort((a, b) => a.outcome.index - b.outcome.index))
    model.apply(done, outcome.eff ?? outcome.id);

  const [first, second] = people as [Person, Person];
  expect(bytesOf(first.site)).toBe(bytesOf(second.site));
  expect(viewOf(first.site)).toEqual(model.view());
  const fresh = world.client("ann");
  const freshSite = await fresh.open("site-7");
  await fresh.client.sync();
  expect(bytesOf(freshSite)).toBe(bytesOf(first.site));
  // Digests are compared off the critical path; a difference would be reported and repaired.
  await new Promise((done) => setTimeout(done, 300));
  expect(reports).toEqual([]);
  const info = await server.handler(
    new Request("http://landfall.test/v1/info", { headers: { authorization: "Bearer dev:ann" } }),
  );
  expect(decode(infoAnswer, await info.json()).ok).toBe(true);
  await world.close();
  await server.close();
  return counts;
}

const step = fc.record({ who: fc.nat(1), edit, land: fc.nat(9).map((n) => n === 0) });

describe("convergence", () => {
  it("rules 5, 6, 7, 9, 10: two clients that edited the same records offline end byte-equal, as the naive model replays the server's order, with every lost edit in an inbox", async () => {
    const sum = { applied: 0, refused: 0, superseded: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), async (steps) => {
        const counts = await scenario(steps);
        sum.applied += counts.applied;
        sum.refused += counts.refused;
        sum.superseded += counts.superseded;
      }),
      { numRuns: 30 },
    );
    // A run in which nothing ever conflicted would have shown nothing.
    expect(Math.min(sum.applied, sum.refused, sum.superseded)).toBeGreaterThan(0);
  }, 120_000);

  it("rule 5: hundreds of interleaved edits in one stretch offline converge", async () => {
    const steps = fc.sample(fc.record({ who: fc.nat(1), edit, land: fc.constant(false) }), {
      numRuns: 600,
      seed: 7,
    });
    const counts = await scenario(
      steps.filter(({ edit: { do: what } }) => what !== "delete"),
      keys.map((each) => ({ do: "create" as const, key: each, name: "ash" as const })),
    );
    expect(counts.applied).toBeGreaterThan(300);
    expect(counts.superseded).toBeGreaterThan(0);
  }, 60_000);
});
