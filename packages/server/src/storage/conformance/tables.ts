import assert from "node:assert/strict";
import type { Rows } from "../port.js";
import {
  type WithStorage,
  emptySum,
  makeSpace,
  opened,
  recordAt,
  save,
  stateAt,
  writerAt,
} from "./sample.js";

export function describeTables(test: WithStorage): void {
  test("§7: a space that is not there opens as nothing, for writes and for reads", async (storage) => {
    assert.equal(await storage.write("s1", (transaction) => transaction.open("d1", "ann")), undefined);
    assert.equal(await storage.read((snapshot) => snapshot.space("s1", "ann")), undefined);
    await makeSpace(storage);
    const found = await storage.write("s1", (transaction) => transaction.open("d1", "ann"));
    assert.deepEqual(found, {
      state: stateAt(0),
      role: "owner",
      domains: [],
      writer: undefined,
      commitModifiedAt: undefined,
      isLast: true,
    });
  });

  test("rule 8: a former member is told apart from a stranger", async (storage) => {
    await makeSpace(storage);
    const setRole = (user: string, role: "writer" | undefined): Promise<void> =>
      storage.write("s1", async (transaction) => {
        await opened(transaction);
        await transaction.saveMember({ user, role, since: 7 });
      });
    await setRole("bob", "writer");
    await setRole("eve", "writer");
    await setRole("bob", undefined);
    const roles = await storage.read(async (snapshot) =>
      Promise.all(["ann", "bob", "eve", "zed"].map(async (user) => (await snapshot.space("s1", user))?.role)),
    );
    assert.deepEqual(roles, ["owner", "former", "writer", undefined]);
    assert.deepEqual(await storage.read((snapshot) => snapshot.members("s1")), [
      { user: "ann", role: "owner", since: 1 },
      { user: "bob", role: undefined, since: 7 },
      { user: "eve", role: "writer", since: 7 },
    ]);
    await makeSpace(storage, "s0", "eve");
    const memberships = await storage.read((snapshot) => snapshot.memberships("eve"));
    assert.deepEqual(
      memberships.map(({ space, role, members, state }) => [space, role, members, state.generation]),
      [
        ["s0", "owner", 1, "g1"],
        ["s1", "writer", 2, "g1"],
      ],
    );
    assert.deepEqual(await storage.read((snapshot) => snapshot.memberships("bob")), []);
    assert.deepEqual(await storage.read((snapshot) => snapshot.spaces()), ["s0", "s1"]);
  });

  test("§5.4: domains keep head, count, digest and horizon; clearing tombstones moves the horizon and nothing else", async (storage) => {
    await makeSpace(storage);
    const domain = { domain: "a", head: 3, count: 1, sum: "0123456789abcdef0123456789abcdef", horizon: 0 };
    await save(storage, {
      space: stateAt(3),
      domains: [domain, { ...domain, domain: "b" }],
      records: [
        recordAt("a", "k1", 1),
        recordAt("a", "k2", 2, null),
        recordAt("a", "k3", 3, null),
        recordAt("b", "k2", 2, null),
      ],
    });
    await storage.write("s1", (transaction) => transaction.pruneTombstones("a", 2));
    await storage.write("s1", (transaction) => transaction.pruneTombstones("a", 1));
    const [domains, page] = await storage.read(
      async (snapshot) =>
        [
          (await snapshot.space("s1", ""))?.domains ?? [],
          await snapshot.page({
            space: "s1",
            domains: [
              { domain: "a", after: 0 },
              { domain: "b", after: 0 },
            ],
            limit: 9,
            maxBytes: 1e6,
          }),
        ] as const,
    );
    assert.deepEqual(
      [...domains].sort((x, y) => (x.domain < y.domain ? -1 : 1)),
      [
        { ...domain, horizon: 2 },
        { ...domain, domain: "b" },
      ],
    );
    assert.deepEqual(
      page.rows.map(({ key }) => key),
      ["k1", "k2", "k3"],
    );
  });

  test("rule 7: tombstones are cleared away the oldest first, so many at a time; live rows stay, and other domains", async (storage) => {
    await makeSpace(storage);
    const domain = { domain: "a", head: 9, count: 1, sum: emptySum, horizon: 0 };
    await save(storage, {
      space: stateAt(9),
      domains: [domain, { ...domain, domain: "b" }],
      records: [
        recordAt("a", "k1", 1, null),
        recordAt("a", "k9", 2, null),
        recordAt("a", "k2", 3),
        recordAt("a", "k3", 4, null),
        recordAt("a", "k4", 4, null),
        recordAt("b", "k1", 1, null),
      ],
    });
    const oldest = (limit: number): Promise<readonly object[]> =>
      storage.read((snapshot) => snapshot.tombstones("s1", "a", limit));
    assert.deepEqual(await oldest(2), [
      { version: 1, modifiedAt: 10 },
      { version: 2, modifiedAt: 20 },
    ]);
    const prune = (upTo: number, limit: number): Promise<number> =>
      storage.write("s1", (transaction) => transaction.pruneTombstones("a", upTo, limit));
    assert.equal(await prune(2, 1), 1);
    assert.deepEqual(await oldest(1), [{ version: 2, modifiedAt: 20 }]);
    assert.equal(await prune(4, 2), 2);
    assert.deepEqual(await oldest(9), [{ version: 4, modifiedAt: 40 }]);
    assert.equal(await prune(4, 5), 1);
    assert.equal(await prune(3, 5), 0);
    const found = await storage.read((snapshot) => snapshot.space("s1", ""));
    assert.deepEqual(
      new Map(found?.domains.map((each) => [each.domain, each.horizon])),
      new Map([
        ["a", 4],
        ["b", 0],
      ]),
    );
    const { rows } = await storage.read((snapshot) =>
      snapshot.page({ space: "s1", domains: [{ domain: "a", after: 0 }], limit: 9, maxBytes: 1e6 }),
    );
    assert.deepEqual(
      rows.map(({ key }) => key),
      ["k2"],
    );
    assert.equal((await storage.read((snapshot) => snapshot.tombstones("s1", "b", 9))).length, 1);
  });

  test("rule 12: a wipe empties a space and keeps its members and domains; generations are remembered, newest first", async (storage) => {
    await makeSpace(storage);
    const domain = { domain: "a", head: 1, count: 1, sum: "0123456789abcdef0123456789abcdef", horizon: 0 };
    const id = "018f6c00-0000-7000-8000-000000000001";
    const outcomes = { outcomes: [{ seq: 1, id, body: "[1,1]" }], fresh: [{ seq: 1, id }] };
    await save(storage, {
      space: stateAt(1),
      domains: [domain],
      writer: writerAt(1),
      records: [recordAt("a", "k1", 1)],
      lookupsAdded: [{ domain: "a", key: "k1", name: "parent", value: "p" }],
      outcomes,
    });
    await storage.write("s1", async (transaction) => {
      await opened(transaction);
      await transaction.startGeneration(
        { generation: "g2", reason: "wiped", parent: "g1", at: 1, startedAt: 5 },
        { ...stateAt(2), generation: "g2" },
        true,
      );
    });
    const found = await storage.write("s1", async (transaction) => {
      const space = await opened(transaction);
      return {
        space,
        records: await transaction.records([{ domain: "a", key: "k1" }]),
        known: await transaction.knownEvents([id]),
        looked: await transaction.lookup("a", "parent", ["p"]),
      };
    });
    assert.deepEqual(found, {
      space: {
        state: { ...stateAt(2), generation: "g2" },
        role: "owner",
        domains: [{ domain: "a", head: 2, count: 0, sum: emptySum, horizon: 2 }],
        writer: undefined,
        commitModifiedAt: undefined,
        isLast: true,
      },
      records: [],
      known: [],
      looked: [],
    });
    const history = await storage.read((snapshot) => snapshot.generations("s1"));
    assert.deepEqual(history, [
      { generation: "g2", reason: "wiped", parent: "g1", at: 1, startedAt: 5 },
      { generation: "g1", reason: "created", parent: undefined, at: 0, startedAt: 5 },
    ]);
  });

  test("§7: all that a space holds can be read, in order; writers of older generations too, and nothing of other spaces", async (storage) => {
    await makeSpace(storage);
    await makeSpace(storage, "s2");
    const id = (seq: number): string => `018f6c00-0000-7000-8000-${String(seq).padStart(12, "0")}`;
    const chunk = (from: number, to: number): NonNullable<Parameters<typeof save>[1]["outcomes"]> => {
      const outcomes = Array.from({ length: to - from + 1 }, (_, i) => ({
        seq: from + i,
        id: id(from + i),
        body: `[${from + i},1]`,
      }));
      return { outcomes, fresh: outcomes.map(({ seq, id: own }) => ({ seq, id: own })).toReversed() };
    };
    const lookup = { domain: "a", key: "k2", name: "unique:v", value: "[2]" };
    await save(storage, {
      space: stateAt(4),
      writer: writerAt(2),
      records: [recordAt("b", "k3", 3), recordAt("a", "k2", 2), recordAt("a", "k4", 4, null)],
      lookupsAdded: [{ ...lookup, key: "k4", value: "[4]" }, lookup],
      outcomes: chunk(1, 2),
    });
    await save(storage, { writer: writerAt(3, { expired: 2 }), outcomes: chunk(3, 3) });
    await save(storage, { records: [recordAt("a", "k9", 9)] }, "s2");
    await storage.write("s1", async (transaction) => {
      await opened(transaction);
      await transaction.startGeneration(
        { generation: "g2", reason: "restored", parent: "g1", at: 4, startedAt: 5 },
        { ...stateAt(4), generation: "g2" },
        false,
      );
      await opened(transaction);
      await transaction.save({ writer: writerAt(0, { device: "d2" }) });
    });
    const held = await storage.read(async (snapshot) => {
      const contents = await snapshot.contents("s1");
      const all = async <T>(rows: Rows<T>): Promise<T[]> => {
        const list: T[] = [];
        for await (const row of rows) list.push(row);
        return list;
      };
      return {
        writers: contents.writers,
        records: await all(contents.records()),
        lookups: await all(contents.lookups()),
        outcomes: await all(contents.outcomes()),
        events: await all(contents.events()),
      };
    });
    assert.deepEqual(held, {
      writers: [
        { ...writerAt(3, { expired: 2 }), generation: "g1" },
        { ...writerAt(0, { device: "d2" }), generation: "g2" },
      ],
      records: [recordAt("a", "k2", 2), recordAt("b", "k3", 3), recordAt("a", "k4", 4, null)],
      lookups: [
        { ...lookup, fields: '{"v":2}' },
        { ...lookup, key: "k4", value: "[4]", fields: undefined },
      ],
      outcomes: [
        { seq: 1, id: id(1), body: undefined, writer: 0 },
        { seq: 2, id: id(2), body: undefined, writer: 0 },
        { seq: 3, id: id(3), body: "[3,1]", writer: 0 },
      ],
      events: [1, 2, 3].map((seq) => ({ id: id(seq), seq, writer: 0 })),
    });
  });

  test("rule 12: a restore keeps rows and ids, and begins the writers anew", async (storage) => {
    await makeSpace(storage);
    const id = "018f6c00-0000-7000-8000-000000000001";
    await save(storage, {
      space: stateAt(1),
      writer: writerAt(1),
      records: [recordAt("a", "k1", 1)],
      outcomes: { outcomes: [{ seq: 1, id, body: "[1,1]" }], fresh: [{ seq: 1, id, was: "d0" }] },
    });
    await storage.write("s1", async (transaction) => {
      await opened(transaction);
      await transaction.startGeneration(
        { generation: "g2", reason: "restored", parent: "g1", at: 1, startedAt: 5 },
        { ...stateAt(1), generation: "g2" },
        false,
      );
    });
    const found = await storage.write("s1", async (transaction) => ({
      writer: (await opened(transaction)).writer,
      known: await transaction.knownEvents([id]),
      records: await transaction.records([{ domain: "a", key: "k1" }]),
    }));
    assert.deepEqual(found, {
      writer: undefined,
      known: [{ id, generation: "g1", device: "d1", user: "ann", seq: 1, was: "d0" }],
      records: [recordAt("a", "k1", 1)],
    });
    assert.deepEqual(
      (await storage.read((snapshot) => snapshot.writers("s1", "g1"))).map(({ lastSeq }) => lastSeq),
      [1],
    );
    assert.deepEqual(await storage.read((snapshot) => snapshot.writers("s1", "g2")), []);
  });
}
