import assert from "node:assert/strict";
import type { SpaceTransaction, Storage } from "../port.js";
import { type WithStorage, makeSpace, opened, recordAt, save, stateAt, writerAt } from "./sample.js";

const inBatch = <T>(storage: Storage, look: (transaction: SpaceTransaction) => T | Promise<T>): Promise<T> =>
  storage.write("s1", async (transaction) => {
    await opened(transaction);
    return look(transaction);
  });

export function describeRecords(test: WithStorage): void {
  test("§7: records and tombstones are loaded in bulk; keys that are not there are left out", async (storage) => {
    await makeSpace(storage);
    const rows = Array.from({ length: 130 }, (_, i) =>
      recordAt("a", `k${i}`, i + 1, i % 10 === 0 ? null : `{"text":"Å ${i} \\u0000 \\" \\\\"}`),
    );
    await save(storage, { space: stateAt(130), records: rows });
    const wanted = [
      ...rows.map(({ domain, key }) => ({ domain, key })),
      { domain: "a", key: "nowhere" },
      { domain: "b", key: "k1" },
    ];
    const found = await inBatch(storage, (transaction) => transaction.records(wanted));
    assert.deepEqual(
      [...found].sort((x, y) => x.version - y.version),
      rows,
    );
    assert.deepEqual(await inBatch(storage, (transaction) => transaction.records([])), []);
  });

  test("§7: a record that is saved again is replaced, for the same batch too", async (storage) => {
    await makeSpace(storage);
    await save(storage, { records: [recordAt("a", "k1", 1)] });
    await storage.write("s1", async (transaction) => {
      await opened(transaction);
      await transaction.save({ writer: writerAt(2), records: [recordAt("a", "k1", 2, null)] });
      assert.deepEqual(await transaction.records([{ domain: "a", key: "k1" }]), [
        recordAt("a", "k1", 2, null),
      ]);
    });
    const page = await storage.read((snapshot) =>
      snapshot.page({ space: "s1", domains: [{ domain: "a", after: 0 }], limit: 9, maxBytes: 1e6 }),
    );
    assert.deepEqual(
      page.rows.map(({ version }) => version),
      [2],
    );
  });

  test("§7: a scan gives live records by key, in parts, up to a version; spaces do not mix", async (storage) => {
    await makeSpace(storage);
    await makeSpace(storage, "s2");
    await save(storage, {
      records: [
        recordAt("a", "k3", 1),
        recordAt("a", "k1", 2),
        recordAt("a", "k2", 3, null),
        recordAt("b", "k0", 4),
        recordAt("a", "k4", 5),
      ],
    });
    await save(storage, { records: [recordAt("a", "k9", 1)] }, "s2");
    const scan = (range: object): Promise<string[]> =>
      inBatch(storage, async (transaction) =>
        (await transaction.scan({ domain: "a", ...range })).map(({ key }) => key),
      );
    assert.deepEqual(await scan({}), ["k1", "k3", "k4"]);
    assert.deepEqual(await scan({ afterKey: "k1", limit: 1 }), ["k3"]);
    assert.deepEqual(await scan({ upTo: 2 }), ["k1", "k3"]);
  });

  test("§7: lookups find keys by value, and forget what was removed", async (storage) => {
    await makeSpace(storage);
    const entry = (
      key: string,
      value: string,
      name = "unique:x",
    ): { domain: string; key: string; name: string; value: string } => ({ domain: "a", key, name, value });
    await save(storage, {
      lookupsAdded: [entry("k1", "1"), entry("k2", "1"), entry("k3", '["ü"]'), entry("k4", "1", "parent")],
    });
    const find = (values: string[]): Promise<string[]> =>
      inBatch(storage, async (transaction) =>
        (await transaction.lookup("a", "unique:x", values)).map(({ key }) => key).toSorted(),
      );
    assert.deepEqual(await find(["1", '["ü"]', "none"]), ["k1", "k2", "k3"]);
    await save(storage, { lookupsRemoved: [entry("k1", "1")], lookupsAdded: [entry("k2", "1")] });
    assert.deepEqual(await find(["1"]), ["k2"]);
    await inBatch(storage, (transaction) => transaction.clearLookups());
    assert.deepEqual(await find(["1", '["ü"]']), []);
  });

  test("rule 3: outcomes and ids are found over all chunks; bodies expire, ids do not", async (storage) => {
    await makeSpace(storage);
    const id = (seq: number): string => `018f6c00-0000-7000-8000-${String(seq).padStart(12, "0")}`;
    const chunk = (from: number, to: number, expired = 0): Promise<void> => {
      const outcomes = Array.from({ length: to - from + 1 }, (_, i) => ({
        seq: from + i,
        id: id(from + i),
        body: `[${from + i},1]`,
      }));
      return save(storage, {
        writer: writerAt(to, { expired, rejectedCreates: [[to, "a", "k1"]] }),
        outcomes: {
          outcomes,
          fresh: outcomes.filter(({ seq }) => seq !== 2).map(({ seq, id: own }) => ({ seq, id: own })),
        },
      });
    };
    await chunk(1, 3);
    await chunk(4, 4);
    await chunk(5, 9);
    const writer = { generation: "g1", device: "d1", user: "ann" };
    const read = (from: number, to: number): Promise<unknown> =>
      inBatch(storage, async (transaction) =>
        (await transaction.outcomes(writer, from, to)).map(({ seq, body }) => [seq, body]),
      );
    assert.deepEqual(await read(3, 6), [
      [3, "[3,1]"],
      [4, "[4,1]"],
      [5, "[5,1]"],
      [6, "[6,1]"],
    ]);
    await chunk(10, 10, 4);
    assert.deepEqual(await read(2, 5), [
      [2, undefined],
      [3, undefined],
      [4, undefined],
      [5, "[5,1]"],
    ]);
    const known = await inBatch(storage, (transaction) =>
      transaction.knownEvents([id(1), id(2), id(10), id(77)]),
    );
    assert.deepEqual(
      [...known].sort((a, b) => a.seq - b.seq),
      [1, 10].map((seq) => ({ id: id(seq), seq, ...writer, was: undefined })),
    );
    assert.deepEqual(
      await inBatch(storage, (transaction) => transaction.outcomes({ ...writer, user: "bob" }, 1, 9)),
      [],
    );
    const state = await storage.read((snapshot) => snapshot.writer("s1", "g1", "d1", "ann"));
    assert.deepEqual(state, writerAt(10, { expired: 4, rejectedCreates: [[10, "a", "k1"]] }));
  });
}
