import { decodeText, rowsAnswer } from "@landfall/protocol";
import { describe, expect, test } from "vitest";
import type { RowsPage, RowsQuery } from "../engine-types.js";
import { TestDevice, create, remove, update, world } from "./device.test.fixture.js";

const ann = { id: "ann" };

async function start(): Promise<{
  device: TestDevice;
  pull: (query?: Partial<RowsQuery>) => Promise<RowsPage & { keys: string[] }>;
}> {
  const here = await world();
  const device = new TestDevice(here);
  return {
    device,
    async pull(query = {}) {
      const page = await here.engine.rows(ann, { space: here.space, domain: "project", ...query });
      const decoded = decodeText(rowsAnswer, page.text);
      if (!decoded.ok && !query.fieldsKeyOnly) throw new Error(decoded.message);
      return { ...page, keys: page.rows.map((text) => (JSON.parse(text) as { key: string }).key) };
    },
  };
}

describe("the plain pull", () => {
  test("§6: pages go on from the cursor, and a page never ends inside a version", async () => {
    const { device, pull } = await start();
    await device.write([create("p1"), create("p2"), create("p3")]);
    await device.write([create("p4")]);
    const first = await pull({ limit: 1 });
    expect([first.keys, first.more, first.cursor]).toEqual([["p1", "p2", "p3"], true, 1]);
    const second = await pull({ limit: 1, since: first.cursor });
    expect([second.keys, second.more, second.cursor, second.head]).toEqual([["p4"], false, 2, 2]);
    expect((await pull({ since: 2 })).rows).toEqual([]);
  });

  test("§6: by time nothing of a commit is missed, though a page ends within it", async () => {
    const { device, pull } = await start();
    const { clock } = device.world;
    await device.send(["p1", "p2", "p3"].map((key) => device.event([create(key)])));
    clock.nowMs += 100;
    await device.write([create("p4")]);
    const whole = await pull();
    expect(whole.lastUpdateTime).toBe(clock.nowMs);
    expect((await pull({ modifiedSince: clock.nowMs - 1 })).keys).toEqual(["p4"]);
    expect((await pull({ modifiedSince: clock.nowMs })).keys).toEqual([]);
    const part = await pull({ limit: 2 });
    expect(part.keys).toEqual(["p1", "p2"]);
    expect((await pull({ modifiedSince: part.lastUpdateTime })).keys).toEqual(["p1", "p2", "p3", "p4"]);
  });

  test("§6: by keys, without what is known, and without fields", async () => {
    const { device, pull } = await start();
    for (const key of ["p1", "p2", "p3"]) await device.write([create(key, { name: key })]);
    await device.write([remove("p3")]);
    const rows = await pull({ keys: ["p3", "p1", "nowhere"] });
    expect(rows.keys).toEqual(["p1", "p3"]);
    expect(
      (
        await pull({
          known: [
            ["p1", 1],
            ["p2", 1],
          ],
        })
      ).keys,
    ).toEqual(["p2", "p3"]);
    const time = (JSON.parse(rows.rows[0] as string) as { modifiedAt: number }).modifiedAt;
    expect((await pull({ known: [["p1", time]] })).keys).toEqual(["p2", "p3"]);
    expect(
      (await pull({ fieldsKeyOnly: true })).rows.map((text) => Object.keys(JSON.parse(text) as object)),
    ).toEqual([
      ["domain", "key", "version", "modifiedAt"],
      ["domain", "key", "version", "modifiedAt"],
      ["domain", "key", "version", "modifiedAt", "deleted"],
    ]);
  });

  test("§6: the entity tag changes exactly when the answer does", async () => {
    const { device, pull } = await start();
    await device.write([create("p1")]);
    const [one, two] = [await pull(), await pull()];
    expect(one.etag).toBe(two.etag);
    expect(one.etag).toMatch(/^"[0-9a-f]{32}"$/);
    await device.write([update("p1", { a: 1 })]);
    expect((await pull()).etag).not.toBe(one.etag);
  });

  test("rule 7: a since older than the deletes that are kept is refused, not answered in part", async () => {
    const { device, pull } = await start();
    await device.write([create("p1"), create("p2")]);
    await device.write([remove("p1")]);
    await device.world.storage.pruneTombstones("site-7", "project", 2);
    await expect(pull({ since: 1 })).rejects.toMatchObject({ code: "invalid_request" });
    await expect(pull({ since: 9 })).rejects.toMatchObject({ code: "invalid_request" });
    expect((await pull()).keys).toEqual(["p2"]);
    expect((await pull({ since: 2 })).keys).toEqual([]);
  });
});
