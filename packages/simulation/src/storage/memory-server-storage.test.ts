import { storageConformance } from "@landfall/server/storage/conformance";
import type { LookupEntry, Rows, Snapshot, SpaceTransaction, Storage } from "@landfall/server/storage/port";
import { sqlite } from "@landfall/server/storage/sqlite";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryServerStorage } from "./memory-server-storage.js";

storageConformance({ describe, test }, () => memoryServerStorage());

/** What a batch does; numbers are drawn, and become what fits the state that the batch finds. */
type Step =
  | {
      readonly do: "write";
      readonly keys: readonly number[];
      readonly dead: boolean;
      readonly seqs: number;
      readonly expire: number;
    }
  | { readonly do: "lookup"; readonly key: number; readonly there: boolean }
  | { readonly do: "member"; readonly user: number; readonly role: "reader" | undefined }
  | { readonly do: "generation"; readonly wipe: boolean }
  | { readonly do: "prune"; readonly upTo: number; readonly limit: number }
  | { readonly do: "clear" }
  | { readonly do: "repeat" }
  | { readonly do: "pause" };
interface Batch {
  readonly space: string;
  readonly user: number;
  readonly steps: readonly Step[];
  readonly fails: boolean;
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      keys: fc.array(fc.nat(7), { minLength: 1, maxLength: 4 }),
      dead: fc.boolean(),
      seqs: fc.nat(3),
      expire: fc.nat(3),
    }),
  },
  fc.record({ do: fc.constant("lookup" as const), key: fc.nat(3), there: fc.boolean() }),
  fc.record({
    do: fc.constant("member" as const),
    user: fc.nat(2),
    role: fc.constantFrom("reader" as const, undefined),
  }),
  fc.record({ do: fc.constant("generation" as const), wipe: fc.boolean() }),
  fc.record({ do: fc.constant("prune" as const), upTo: fc.nat(20), limit: fc.nat(3) }),
  fc.constantFrom({ do: "clear" as const }, { do: "repeat" as const }, { do: "pause" as const }),
);
const batch: fc.Arbitrary<Batch> = fc.record({
  space: fc.constantFrom("s1", "s2"),
  user: fc.nat(2),
  steps: fc.array(step, { maxLength: 5 }),
  fails: fc.boolean(),
});

const id = (space: string, generation: string, user: number, seq: number): string =>
  `018f6c00-${space === "s1" ? "0001" : "0002"}-7000-8${String(user).padStart(3, "0")}-${generation.slice(1).padStart(6, "0")}${String(seq).padStart(6, "0")}`;
const lookupOf = (key: number): LookupEntry => ({
  domain: "a",
  key: `k${key}`,
  name: "n",
  value: `v${key % 2}`,
});

/** Carries out a batch, and gives what it has read. */
async function run(transaction: SpaceTransaction, { space, user, steps, fails }: Batch): Promise<unknown> {
  const device = `d${user}`;
  const name = `u${user}`;
  const read: unknown[] = [];
  for (const each of steps) {
    const opened = await transaction.open(device, name);
    read.push(opened);
    const state = opened?.state ?? {
      generation: "g0",
      head: 0,
      receivedMs: 0,
      receivedCounter: 0,
      modifiedAt: 0,
      schema: 0,
      lookups: "{}",
    };
    const start = async (generation: string, wipe: boolean): Promise<void> => {
      await transaction.startGeneration(
        {
          generation,
          reason: wipe ? "wiped" : "restored",
          parent: state.generation,
          at: state.head,
          startedAt: 7,
        },
        { ...state, generation },
        wipe,
      );
    };
    if (!opened) {
      await start("g1", false);
      continue;
    }
    if (each.do === "write") {
      const { generation } = state;
      const head = state.head + 1;
      const from = (opened.writer?.lastSeq ?? 0) + 1;
      const seqs = Array.from({ length: each.seqs }, (_, i) => from + i);
      const lastSeq = from + each.seqs - 1;
      const expired = Math.min(lastSeq, (opened.writer?.expired ?? 0) + each.expire);
      const records = [...new Set(each.keys)].map((key) => {
        const body = each.dead
          ? { fields: undefined, stamps: undefined }
          : { fields: `{"k":${head}}`, stamps: "{}" };
        const domain = key % 2 === 0 ? "a" : "b";
        return { domain, key: `k${key}`, version: head, modifiedAt: head * 10, createdAt: 1, ...body };
      });
      await transaction.save({
        space: { ...state, head, modifiedAt: head * 10 },
        domains: ["a", "b"].map((domain) => ({ domain, head, count: head, sum: "0".repeat(32), horizon: 0 })),
        writer: {
          device,
          user: name,
          lastSeq,
          acked: 0,
          expired,
          rejectedCreates: [],
          seenAt: head,
          cursor: 0,
        },
        records,
        ...(seqs.length === 0
          ? {}
          : {
              outcomes: {
                outcomes: seqs.map((seq) => ({
                  seq,
                  id: id(space, generation, user, seq),
                  body: `[${seq}]`,
                })),
                fresh: seqs.map((seq) => ({ seq, id: id(space, generation, user, seq) })),
              },
            }),
      });
      const writer = { generation, device, user: name };
      read.push(
        sorted(await transaction.records(records)),
        (await transaction.outcomes(writer, 1, lastSeq)).map((each) =>
          each.seq <= expired ? each.seq : each,
        ),
        await transaction.knownEvents(seqs.map((seq) => id(space, generation, user, seq))),
        await transaction.scan({ domain: "a", upTo: head - 1, afterKey: "k0", limit: 2 }),
      );
    } else if (each.do === "lookup") {
      const entry = lookupOf(each.key);
      await transaction.save({
        domains: [{ domain: "a", head: state.head, count: 0, sum: "0".repeat(32), horizon: 0 }],
        ...(each.there ? { lookupsAdded: [entry] } : { lookupsRemoved: [entry] }),
      });
      read.push(await transaction.lookup("a", "n", ["v0", "v1", "v2"]));
    } else if (each.do === "member") {
      await transaction.saveMember({ user: `u${each.user}`, role: each.role, since: state.head });
      read.push(await transaction.members());
    } else if (each.do === "generation") await start(`g${Number(state.generation.slice(1)) + 1}`, each.wipe);
    else if (each.do === "prune") read.push(await transaction.pruneTombstones("a", each.upTo, each.limit));
    else if (each.do === "clear") await transaction.clearLookups();
    else if (each.do === "pause") await Promise.resolve();
    // What is there already breaks a key, and the batch with it.
    else await start(state.generation, false);
  }
  if (fails) throw new Error("given up");
  return read;
}

const sorted = <T extends { readonly version: number; readonly domain: string; readonly key: string }>(
  rows: readonly T[],
): T[] =>
  rows.toSorted((x, y) =>
    `${x.version} ${x.domain} ${x.key}` < `${y.version} ${y.domain} ${y.key}` ? -1 : 1,
  );

async function all<T>(rows: Rows<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const row of rows) list.push(row);
  return list;
}

/** Everything that a snapshot gives. */
async function dump(snapshot: Snapshot): Promise<unknown> {
  const spaces: unknown[] = [await snapshot.spaces()];
  for (const user of ["u0", "u1", "u2"]) spaces.push(await snapshot.memberships(user));
  for (const space of ["s1", "s2"]) {
    const contents = await snapshot.contents(space);
    const domains = ["a", "b"].map((domain) => ({ domain, after: 2 }));
    const pages = [];
    for (const limit of [1, 3, 100]) {
      const page = await snapshot.page({ space, domains, limit, maxBytes: 1e6 });
      pages.push([page.more, sorted(page.rows)]);
    }
    const expired = contents.writers.map((writer) => writer.expired);
    spaces.push({
      space: await snapshot.space(space, "u0"),
      generations: await snapshot.generations(space),
      members: await snapshot.members(space),
      writers: [
        contents.writers,
        await snapshot.writers(space, "g1"),
        await snapshot.writer(space, "g2", "d1", "u1"),
      ],
      records: sorted(await all(contents.records())),
      lookups: await all(contents.lookups()),
      // SQLite keeps the body of an expired outcome as long as its chunk holds one that has not expired.
      outcomes: (await all(contents.outcomes())).map(({ body, ...each }) => ({
        ...each,
        body: each.seq <= (expired[each.writer] ?? 0) ? undefined : body,
      })),
      events: await all(contents.events()),
      pages,
      found: sorted(await snapshot.rows(space, "a", ["k2", "k0", "none"], true)),
      tombstones: await snapshot.tombstones(space, "a", 2),
      versions: [await snapshot.versionAt(space, "a", 35), await snapshot.versionAt(space, "b", 1e9)],
    });
  }
  return spaces;
}

const settle = async (storage: Storage, group: readonly Batch[]): Promise<unknown> =>
  (
    await Promise.allSettled(
      group.map((each) => storage.write(each.space, (transaction) => run(transaction, each))),
    )
  ).map((result) => (result.status === "fulfilled" ? result.value : "rejected"));

test("rule 2: at every step it holds what SQLite holds, and readers see whole commits", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(batch, { maxLength: 4 }), { maxLength: 8 }), async (groups) => {
      const real = sqlite(":memory:", { schedule: queueMicrotask });
      const memory = memoryServerStorage();
      for (const group of groups) {
        const before = await memory.read(dump);
        const [expected, got] = [settle(real, group), settle(memory, group)];
        // While the group is under way a reader sees the state before it, or after it, and nothing between.
        const meanwhile: Promise<unknown>[] = [];
        for (let turn = 0; turn < 5; turn++) {
          meanwhile.push(memory.read(dump));
          for (let i = 0; i < 7; i++) await Promise.resolve();
        }
        expect(await got).toEqual(await expected);
        const after = await memory.read(dump);
        expect(after).toEqual(await real.read(dump));
        for (const seen of await Promise.all(meanwhile)) expect([before, after]).toContainEqual(seen);
      }
      await Promise.all([real.close(), memory.close()]);
    }),
    { numRuns: 150 },
  );
});
