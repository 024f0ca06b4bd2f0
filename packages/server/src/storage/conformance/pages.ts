import assert from "node:assert/strict";
import type { PageRequest, Storage } from "../port.js";
import { type WithStorage, makeSpace, recordAt, save } from "./sample.js";

async function pageOf(
  storage: Storage,
  request: Partial<PageRequest>,
): Promise<{ versions: number[]; more: boolean; texts: string[] }> {
  const domains = [
    { domain: "a", after: 0 },
    { domain: "b", after: 0 },
  ];
  const { rows, more } = await storage.read((snapshot) =>
    snapshot.page({ space: "s1", domains, limit: 100, maxBytes: 1e6, ...request }),
  );
  return { versions: rows.map(({ version }) => version), more, texts: rows.map(({ text }) => text) };
}

export function describePages(test: WithStorage): void {
  const rows = [
    recordAt("a", "k1", 1),
    recordAt("b", "k1", 2),
    recordAt("a", "k2", 3),
    recordAt("b", "k2", 3, null),
    recordAt("a", "k3", 3),
    recordAt("b", "k3", 4),
    recordAt("c", "k1", 5),
  ];

  test("rule 5: rows of several domains come in version order, each after its own cursor", async (storage) => {
    await makeSpace(storage);
    await save(storage, { records: rows });
    assert.deepEqual((await pageOf(storage, {})).versions, [1, 2, 3, 3, 3, 4]);
    assert.deepEqual(
      (
        await pageOf(storage, {
          domains: [
            { domain: "a", after: 2 },
            { domain: "b", after: 3 },
          ],
        })
      ).versions,
      [3, 3, 4],
    );
    assert.deepEqual((await pageOf(storage, { domains: [{ domain: "c", after: 0 }] })).versions, [5]);
    assert.deepEqual(await pageOf(storage, { domains: [] }), { versions: [], more: false, texts: [] });
    assert.deepEqual(await pageOf(storage, { space: "s2" }), { versions: [], more: false, texts: [] });
  });

  test("rule 5: a page never ends inside a version, and says whether there is more", async (storage) => {
    await makeSpace(storage);
    await save(storage, { records: rows });
    const cut = async (limit: number): Promise<unknown> => {
      const { versions, more } = await pageOf(storage, { limit });
      return [versions, more];
    };
    assert.deepEqual(await cut(1), [[1], true]);
    assert.deepEqual(await cut(2), [[1, 2], true]);
    assert.deepEqual(await cut(3), [[1, 2, 3, 3, 3], true]);
    assert.deepEqual(await cut(5), [[1, 2, 3, 3, 3], true]);
    assert.deepEqual(await cut(6), [[1, 2, 3, 3, 3, 4], false]);
    const only = await pageOf(storage, { limit: 1, domains: [{ domain: "a", after: 1 }] });
    assert.deepEqual([only.versions, only.more], [[3, 3], false]);
  });

  test("§13: a page ends by bytes too, and always brings something", async (storage) => {
    await makeSpace(storage);
    await save(storage, {
      records: [1, 2, 3].map((version) =>
        recordAt("a", `k${version}`, version, JSON.stringify({ text: "x".repeat(5_000) })),
      ),
    });
    const { versions, more } = await pageOf(storage, { maxBytes: 4_000 });
    assert.deepEqual([versions, more], [[1], true]);
  });

  test("§5.3: a row is the wire's, text for text; without fields it is the key's part", async (storage) => {
    await makeSpace(storage);
    await save(storage, {
      records: [recordAt("a", "k1", 1, '{"name":"Å \\" {"}'), recordAt("a", "k2", 2, null)],
    });
    assert.deepEqual((await pageOf(storage, {})).texts, [
      '{"domain":"a","key":"k1","version":1,"modifiedAt":10,"fields":{"name":"Å \\" {"},"stamps":{"*":"s1"}}',
      '{"domain":"a","key":"k2","version":2,"modifiedAt":20,"deleted":true}',
    ]);
    assert.deepEqual((await pageOf(storage, { keysOnly: true })).texts, [
      '{"domain":"a","key":"k1","version":1,"modifiedAt":10}',
      '{"domain":"a","key":"k2","version":2,"modifiedAt":20,"deleted":true}',
    ]);
    const found = await storage.read((snapshot) => snapshot.rows("s1", "a", ["k2", "nowhere", "k1"], false));
    assert.deepEqual(
      found.map(({ key, version, modifiedAt }) => [key, version, modifiedAt]),
      [
        ["k1", 1, 10],
        ["k2", 2, 20],
      ],
    );
  });

  test("§6: a time is found as the newest version that was there then", async (storage) => {
    await makeSpace(storage);
    await save(storage, { records: rows });
    const at = (time: number): Promise<number> =>
      storage.read((snapshot) => snapshot.versionAt("s1", "a", time));
    assert.deepEqual([await at(9), await at(10), await at(29), await at(30), await at(1e9)], [0, 1, 1, 3, 3]);
  });
}
