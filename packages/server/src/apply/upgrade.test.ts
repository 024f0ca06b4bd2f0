import { DigestSum, type RecordRow, portableSha256, rowElement } from "@landfall/protocol";
import { type Schema, defineSchema, records } from "@landfall/schema";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createEngine } from "../engine.js";
import type { AnyTxDomain, SpaceCommit } from "../engine-types.js";
import { TestDevice, type World, create, update, world } from "../exchange/device.test.fixture.js";
import { makeCore } from "../core.js";
import { verify } from "../operations/verify.js";
import { sqlite } from "../storage/sqlite.js";
import { upgradeSpace } from "./upgrade.js";

const first = defineSchema({
  version: 1,
  domains: {
    person: records({ fields: z.object({ name: z.string(), age: z.number().optional() }) }),
    other: records({ fields: z.object({ a: z.number() }) }),
  },
});
const second = defineSchema({
  version: 2,
  domains: {
    person: records({
      fields: z.object({ fullName: z.string(), ageText: z.string().optional() }),
      unique: [["fullName"]],
    }),
    other: records({ fields: z.object({ a: z.number() }) }),
  },
  actions: (action) => ({
    rename: action(z.object({ to: z.string() }), async (tx, { to }) =>
      tx.person.update("ann", { fullName: to }),
    ),
  }),
  migrations: {
    2: {
      domains: {
        person: { rename: { name: "fullName", age: "ageText" }, map: { ageText: (age) => String(age) } },
      },
      actions: { called: (args) => ({ action: "rename", args: { to: args } }) },
    },
  },
});

async function begin(schema: Schema | undefined): Promise<{ here: World; device: TestDevice; file: string }> {
  const file = join(mkdtempSync(join(tmpdir(), "landfall-")), "a.db");
  const here = await world({ storage: sqlite(file), ...(schema ? { schema } : {}) });
  return { here, device: new TestDevice(here), file };
}

/** Starts a server with another schema on the same file. */
async function restart(
  here: World,
  file: string,
  schema: Schema | undefined,
  warn: (message: string, fields?: object) => void = () => undefined,
): Promise<World> {
  await here.engine.close();
  const storage = sqlite(file);
  const logger = { debug: () => undefined, info: () => undefined, warn, error: () => undefined };
  return {
    ...here,
    storage,
    engine: createEngine({
      storage,
      clock: { now: () => here.clock.nowMs },
      logger,
      ...(schema ? { schema } : {}),
    }),
  };
}

const again = (here: World, device: TestDevice): TestDevice =>
  Object.assign(new TestDevice(here, device.user, device.device), { seq: device.seq });

describe("a server with a newer schema", () => {
  test("§5.2: rows are migrated once, under one new version, digest and stamps with them; other rows stay", async () => {
    const { here, device, file } = await begin(first);
    await device.write([create("ann", { name: "Ann", age: 40 }, "person"), create("o1", { a: 1 }, "other")]);
    here.clock.nowMs += 5;
    const renamed = await device.write([update("ann", { name: "Anne" }, "person")]);
    await device.write([create("bob", { name: "Bob" }, "person")]);
    const later = again(await restart(here, file, second), device);
    const commits: SpaceCommit[] = [];
    later.world.engine.onCommit((commit) => commits.push(commit));
    const { rows, head, digests } = await later.send([], { cursors: { person: 3, other: 3 } });
    expect(head).toBe(4);
    expect(rows).toMatchObject([
      {
        key: "ann",
        version: 4,
        fields: { fullName: "Anne", ageText: "40" },
        stamps: { fullName: renamed.id },
      },
      { key: "bob", version: 4, fields: { fullName: "Bob" } },
    ]);
    expect(rows[0]).not.toHaveProperty("stamps.name");
    const sum = new DigestSum();
    for (const row of rows) sum.add(rowElement(portableSha256, row as RecordRow));
    expect(digests?.["person"]).toEqual({ index: 4, count: 2, sum: sum.sum });
    expect(commits).toMatchObject([
      { events: [{ index: 4, by: "server", domains: [{ domain: "person", from: 3 }] }] },
    ]);
    expect((await later.send([], { cursors: { person: 4 } })).head).toBe(4);
    await later.world.engine.close();
  });

  test("§5.2: every answer says which version its rows are in, and from which on an app can read them", async () => {
    const none = await begin(undefined);
    expect(await none.device.send([])).not.toHaveProperty("schema");
    await none.here.engine.close();
    const { here, device, file } = await begin(first);
    await device.write([create("ann", { name: "Ann" }, "person")]);
    expect(await device.send([])).toMatchObject({ schema: 1 });
    const rename = again(await restart(here, file, second), device);
    expect(await rename.send([])).toMatchObject({ schema: 2 });
    expect(await rename.send([])).not.toHaveProperty("readableFrom");
    const added = defineSchema({
      version: 3,
      domains: { person: records({ fields: z.object({ fullName: z.string(), ageText: z.string() }) }) },
      migrations: {
        2: { domains: { person: { rename: { name: "fullName", age: "ageText" } } } },
        3: { domains: { person: { add: { ageText: "?" } } } },
      },
    });
    const later = again(await restart(rename.world, file, added), device);
    expect(await later.send([])).toMatchObject({ schema: 3, readableFrom: 2 });
    const { text } = await later.world.engine.rows({ id: "ann" }, { space: "site-7", domain: "person" });
    expect(JSON.parse(text)).toMatchObject({ schema: 3, readableFrom: 2 });
    await later.world.engine.close();
  });

  test("§5.2: an answer whose rows are brought to a newer version between two of its pages ends there", async () => {
    const { here, device } = await begin(first);
    await device.write([create("ann", { name: "Ann" }, "person")]);
    await device.write([create("bob", { name: "Bob" }, "person")]);
    const spaces = [{ space: "site-7", cursors: { person: 0 } }];
    const request = { protocol: 1 as const, device: device.device, limit: 1, spaces };
    let text = "";
    for await (const lines of here.engine.exchangeStream({ id: "ann" }, request)) {
      text += lines;
      if (lines.includes('"checkpoint"'))
        await here.storage.write("site-7", (transaction) =>
          upgradeSpace(makeCore({ storage: here.storage, schema: second }), here.space, transaction),
        );
    }
    expect(text).toContain('"fields":{"name":"Ann"}');
    expect(text).toContain('"code":"busy"');
    expect(text).not.toContain("fullName");
    await here.engine.close();
  });

  test("§5.2: unique and parent hold for rows of before", async () => {
    const { here, device, file } = await begin(first);
    await device.write([create("ann", { name: "Ann" }, "person")]);
    const later = again(await restart(here, file, second), device);
    expect(
      await later.write({ ops: [create("eve", { fullName: "Ann" }, "person")], schema: 2 }),
    ).toMatchObject({ code: "not_unique" });
    await later.world.engine.close();
  });

  test("§5.2: rows of a domain that is gone, or is kept on devices alone now, stay as they are, and the space goes on", async () => {
    const person = records({ fields: z.object({ name: z.string() }), local: true });
    const other = records({ fields: z.object({ a: z.number() }) });
    const schemas = [
      defineSchema({ version: 2, domains: { other } }),
      defineSchema({ version: 2, domains: { other, person } }),
    ];
    for (const schema of schemas) {
      const { here, device, file } = await begin(first);
      await device.write([create("ann", { name: "Ann" }, "person"), create("o1", { a: 1 }, "other")]);
      const later = again(await restart(here, file, schema), device);
      const eve = { ops: [create("eve", { name: "Eve" }, "person")], schema: 2 };
      expect(await later.write(eve)).toMatchObject({ code: "unknown_domain" });
      const { head, rows } = await later.send([], { cursors: { other: 0 } });
      expect({ head, rows }).toMatchObject({ head: 1, rows: [{ key: "o1", fields: { a: 1 } }] });
      expect((await later.world.storage.read((snapshot) => verify(snapshot))).findings).toEqual([]);
      await later.world.engine.close();
    }
  });

  test("§5.2: says of records that do not hold under the newer schema how many there are, and what one of them lacks", async () => {
    const misspelt = defineSchema({
      version: 2,
      domains: {
        person: records({ fields: z.object({ fullName: z.string(), age: z.number().optional() }) }),
        other: records({ fields: z.object({ a: z.number() }) }),
      },
      migrations: { 2: { domains: { person: { rename: { name: "fulName" } } } } },
    });
    const { here, device, file } = await begin(first);
    await device.write([create("ann", { name: "Ann" }, "person"), create("bob", { name: "Bob" }, "person")]);
    await device.write([create("o1", { a: 1 }, "other")]);
    const told: unknown[] = [];
    const later = again(
      await restart(here, file, misspelt, (message, fields) => void told.push([message, fields])),
      device,
    );
    await later.send([], { cursors: { person: 0 } });
    await later.send([], { cursors: { person: 0 } });
    expect(told).toEqual([
      [
        "records do not hold under the schema that they were brought to: see whether a migration is missing or misspelt",
        {
          space: "site-7",
          domain: "person",
          version: 2,
          records: 2,
          key: "ann",
          why: expect.stringContaining("fullName") as string,
        },
      ],
    ]);
    await later.world.engine.close();
  });

  test("§5.2: events made under the older version are migrated before they apply, and are no own echo", async () => {
    const { here, device, file } = await begin(first);
    await device.write({ ops: [create("ann", { name: "Ann" }, "person")], schema: 1 });
    const late = device.event({ ops: [update("ann", { name: "Anne", age: 41 }, "person")], schema: 1 });
    const called = device.event({ action: "called", args: "Anna", schema: 1 });
    const later = again(await restart(here, file, second), device);
    const { outcomes, rows } = await later.send([late, called], { cursors: { person: 1 } });
    expect(outcomes).toMatchObject([{ status: "applied" }, { status: "applied" }]);
    expect(rows).toMatchObject([{ fields: { fullName: "Anna", ageText: "41" } }]);
    await later.world.engine.close();
  });

  test("§6: a client that is newer than the server is told so, and nothing of it is handled", async () => {
    const { here, device } = await begin(first);
    const events = [
      device.event({ ops: [create("o1", { a: 1 }, "other")], schema: 1 }),
      device.event({ ops: [create("o2", { a: 1 }, "other")], schema: 2 }),
    ];
    expect(await device.fails(events)).toMatchObject({
      code: "schema_unsupported",
      message:
        "The app writes under schema version 2, and the server has 1. What is written is kept on the device: update the server.",
    });
    expect((await device.send(events.slice(0, 1))).outcomes).toMatchObject([{ status: "applied" }]);
    await here.engine.close();
  });

  test("§6: a server that is older than the space's rows takes no writes, and still reads", async () => {
    const { here, device, file } = await begin(second);
    await device.write({ ops: [create("ann", { fullName: "Ann" }, "person")], schema: 2 });
    const log: unknown[] = [];
    const logged = (...line: unknown[]): void => void log.push(line);
    const older = again(await restart(here, file, first, logged), device);
    const refusal = {
      code: "schema_unsupported",
      message:
        "Nothing is written to this space: its records are of schema version 2, to which a newer server has brought them, and this server has 1. What apps write is kept on their devices. Run the newer server again, or restore the backup from before the upgrade.",
    };
    const events = [1, 2].map((schema) => older.event({ ops: [create("o1", { a: 1 }, "other")], schema }));
    for (let attempt = 0; attempt < 2; attempt++) expect(await older.fails(events)).toMatchObject(refusal);
    await expect(
      older.world.engine.space("site-7").write((tx) => (tx["other"] as AnyTxDomain).create({ a: 1 })),
    ).rejects.toMatchObject(refusal);
    expect(log).toEqual([[refusal.message, { space: "site-7" }]]);
    expect(await older.rows("person")).toMatchObject([{ fields: { fullName: "Ann" } }]);
    // It does not know what led to the newer version: none but its apps are sure to read it.
    expect(await older.send([])).toMatchObject({ schema: 2 });
    expect(await older.send([])).not.toHaveProperty("readableFrom");
    await older.world.engine.close();
  });

  test("§5.2: without a schema the version that events name is kept, so that rows are not migrated twice", async () => {
    const { here, device, file } = await begin(undefined);
    await device.write({ ops: [create("ann", { fullName: "Ann", ageText: "1" }, "person")], schema: 2 });
    const later = again(await restart(here, file, second), device);
    expect(await later.rows("person")).toMatchObject([
      { version: 1, fields: { fullName: "Ann", ageText: "1" } },
    ]);
    expect(
      await later.write({ ops: [create("eve", { fullName: "Ann" }, "person")], schema: 2 }),
    ).toMatchObject({ code: "not_unique" });
    await later.world.engine.close();
  });

  describe("and a large space", () => {
    const third = defineSchema({
      version: 3,
      domains: {
        person: records({ fields: z.object({ fullName: z.string(), age: z.number().optional() }) }),
        other: records({ fields: z.object({ a: z.number() }) }),
      },
      migrations: {
        2: {
          domains: {
            person: { rename: { name: "fullName", age: "ageText" }, map: { ageText: (age) => String(age) } },
          },
        },
        3: { domains: { person: { rename: { ageText: "age" }, map: { age: (text) => Number(text) + 1 } } } },
      },
    });
    const count = 1_300;

    async function beginLarge(): Promise<{ here: World; device: TestDevice; file: string }> {
      const begun = await begin(first);
      for (let i = 0; i < count; i += 100)
        await begun.device.write(
          Array.from({ length: 100 }, (_, k) =>
            create(`k${i + k}`, { name: `Name ${i + k}`, age: 40 }, "person"),
          ),
        );
      await begun.device.write([create("o1", { a: 1 }, "other")]);
      return begun;
    }
    const step = (here: World, schema: Schema): Promise<void> =>
      here.storage.write(here.space, (transaction) =>
        upgradeSpace(makeCore({ storage: here.storage, schema }), here.space, transaction),
      );
    const soundness = (here: World) => here.storage.read((snapshot) => verify(snapshot));

    test("§5.2: is migrated in small transactions between those of other spaces; whoever asks for it waits, and sees it whole", async () => {
      const { here, device, file } = await beginLarge();
      await here.engine.createSpace({ id: "ann" }, "aside");
      const later = again(await restart(here, file, second), device);
      const before = later.world.storage.stats().batches;
      const order: string[] = [];
      const reading = later.send([], { cursors: { person: 0 }, limit: 5_000 }).then((answer) => {
        order.push("whole");
        return answer;
      });
      await new Promise((resolve) => setImmediate(resolve));
      await later.world.engine.setMember({ id: "ann" }, "aside", "bob", "writer");
      order.push("aside");
      const { rows, digests, head } = await reading;
      expect(order).toEqual(["aside", "whole"]);
      expect(later.world.storage.stats().batches - before).toBe(4);
      expect(head).toBe(count / 100 + 1 + 3);
      expect(rows.every((row) => (row as RecordRow).fields["ageText"] === "40")).toBe(true);
      expect(new Set(rows.map(({ version }) => version)).size).toBe(3);
      expect(digests?.["person"]?.count).toBe(count);
      expect((await soundness(later.world)).findings).toEqual([]);
      expect(
        await later.write({ ops: [create("eve", { fullName: "Name 1299" }, "person")], schema: 2 }),
      ).toMatchObject({ code: "not_unique" });
      await later.world.engine.close();
    });

    test("§5.2: that was left in its middle is gone on with; a server without the schema writes nothing to it meanwhile", async () => {
      const { here, device, file } = await beginLarge();
      await step(here, second);
      expect((await soundness(here)).findings).toEqual([]);
      const none = again(await restart(here, file, undefined), device);
      expect(await none.fails([none.event({ ops: [create("x", {}, "other")], schema: 2 })])).toMatchObject({
        code: "schema_unsupported",
      });
      await expect(
        none.world.engine.space("site-7").write((tx) => (tx["other"] as AnyTxDomain).create({ a: 1 })),
      ).rejects.toMatchObject({ code: "schema_unsupported" });
      const older = again(await restart(none.world, file, first), device);
      expect(
        await older.fails([older.event({ ops: [create("y", { a: 1 }, "other")], schema: 1 })]),
      ).toMatchObject({ code: "schema_unsupported" });
      // Nor does it read rows of two versions as if they were of one.
      expect(await older.fails([])).toMatchObject({ code: "schema_unsupported" });
      const later = again(await restart(older.world, file, second), device);
      const { rows } = await later.send([], { cursors: { person: 0 }, limit: 5_000 });
      expect(rows.filter((row) => (row as RecordRow).fields["ageText"] === "40")).toHaveLength(count);
      expect((await soundness(later.world)).findings).toEqual([]);
      await later.world.engine.close();
    });

    test("§5.2: that was left in its middle by one schema is brought to the next, each row by what it still lacks", async () => {
      const { here, device, file } = await beginLarge();
      await step(here, second);
      await step(here, second);
      await step(here, third);
      const later = again(await restart(here, file, third), device);
      const { rows } = await later.send([], { cursors: { person: 0 }, limit: 5_000 });
      expect(rows).toHaveLength(count);
      // One more, once: whoever went through the third migration twice would be 42.
      expect(rows.filter((row) => (row as RecordRow).fields["age"] === 41)).toHaveLength(count);
      expect(rows.filter((row) => "ageText" in (row as RecordRow).fields)).toEqual([]);
      expect((await soundness(later.world)).findings).toEqual([]);
      await later.world.engine.close();
    });
  });
});
