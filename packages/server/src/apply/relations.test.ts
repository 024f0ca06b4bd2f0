import type { Fields, Op, SpaceSuccess } from "@landfall/protocol";
import { counter, defineSchema, records, set } from "@landfall/schema";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { TestDevice, create, remove, update, world } from "../exchange/device.test.fixture.js";

const schema = defineSchema({
  version: 1,
  domains: {
    project: records({ fields: z.object({ name: z.string() }) }),
    point: records({
      fields: z.object({ projectId: z.string().nullable(), label: z.string().max(10).default("") }),
      parent: { domain: "project", field: "projectId", onDelete: "cascade" },
    }),
    invoice: records({
      fields: z.object({ projectId: z.string() }),
      parent: { domain: "project", field: "projectId", onDelete: "restrict" },
    }),
    note: records({
      fields: z.object({ projectId: z.string() }),
      parent: { domain: "project", field: "projectId", onDelete: "keep" },
    }),
    task: records({
      fields: z.object({ list: z.string(), number: z.number().nullable().optional() }),
      unique: [["list", "number"]],
    }),
    vote: records({
      fields: z.object({ count: z.number().max(3).default(0), tags: z.array(z.string()).default([]) }),
      merge: { count: counter(), tags: set() },
    }),
    draft: records({ fields: z.object({}), local: true }),
  },
});

const start = async (): Promise<TestDevice> => {
  const device = new TestDevice(await world({ schema }));
  await device.send(["p1", "p2"].map((key) => device.event([create(key, { name: key })])));
  return device;
};

const versions = async (device: TestDevice, domain: string): Promise<unknown> =>
  (await device.rows(domain)).map(({ key, version, deleted }) => [
    key,
    version,
    ...(deleted ? ["deleted"] : []),
  ]);

describe("masters and details", () => {
  test("§5.2: a change of a detail touches its master: version and modifiedAt, not fields and not stamps", async () => {
    const device = await start();
    const [before] = await device.rows("project");
    device.world.clock.nowMs += 50;
    const outcome = await device.write([create("c1", { projectId: "p1" }, "point")]);
    const master = (await device.rows("project")).find(({ key }) => key === "p1");
    expect(master).toEqual({
      ...before,
      version: 3,
      modifiedAt: (outcome as { modifiedAt: number }).modifiedAt,
    });
    await device.write([update("c1", { label: "a" }, "point")]);
    expect(await versions(device, "project")).toEqual([
      ["p2", 2],
      ["p1", 4],
    ]);
  });

  test("§5.2: a move touches the old master and the new one, a delete the old one", async () => {
    const device = await start();
    await device.write([create("c1", { projectId: "p1" }, "point")]);
    await device.write([update("c1", { projectId: "p2" }, "point")]);
    expect(await versions(device, "project")).toEqual([
      ["p1", 4],
      ["p2", 4],
    ]);
    await device.write([remove("c1", "point")]);
    expect(await versions(device, "project")).toEqual([
      ["p1", 4],
      ["p2", 5],
    ]);
  });

  test("§5.2: a master that is gone, or no key at all, is not touched and never made a tombstone of", async () => {
    const device = await start();
    await device.write([
      create("c1", { projectId: "nowhere" }, "point"),
      create("c2", { projectId: null }, "point"),
      create("n1", { projectId: "p2" }, "note"),
    ]);
    await device.write([remove("p2")]);
    await device.write([remove("n1", "note")]);
    expect(await versions(device, "project")).toEqual([
      ["p1", 1],
      ["p2", 4, "deleted"],
    ]);
  });

  test("§5.2: cascade deletes the details with their master, those made in the same request too", async () => {
    const device = await start();
    const events = [
      device.event([create("c1", { projectId: "p1" }, "point"), create("c2", { projectId: "p2" }, "point")]),
      device.event([update("c2", { projectId: "p1" }, "point")]),
      device.event([create("c3", { projectId: "p1" }, "point"), remove("p1")]),
    ];
    const { outcomes } = await device.send(events);
    expect(outcomes.map(({ status }) => status)).toEqual(["applied", "applied", "applied"]);
    expect(await versions(device, "point")).toEqual([
      ["c1", 5, "deleted"],
      ["c2", 5, "deleted"],
      ["c3", 5, "deleted"],
    ]);
    expect(await versions(device, "project")).toEqual([
      ["p2", 4],
      ["p1", 5, "deleted"],
    ]);
  });

  test("§5.2: restrict holds the master back, unless its details go in the same event", async () => {
    const device = await start();
    await device.write([create("i1", { projectId: "p1" }, "invoice")]);
    expect(await device.write([remove("p1")])).toMatchObject({
      status: "rejected",
      code: "has_children",
      message: expect.stringContaining("i1") as string,
    });
    expect(await device.write([remove("p1"), remove("i1", "invoice")])).toMatchObject({ status: "applied" });
  });

  test("§6, own echo: a touched master and a detail deleted behind the op are sent, the op's own row is not", async () => {
    const device = await start();
    const read = (answer: SpaceSuccess): unknown => answer.rows.map(({ domain, key }) => `${domain}/${key}`);
    const made = await device.send([device.event([create("c1", { projectId: "p1" }, "point")])], {
      cursors: { project: 2, point: 2 },
    });
    expect([read(made), made.outcomes]).toMatchObject([["project/p1"], [{ omitted: [["point", "c1"]] }]]);
    const gone = await device.send([device.event([remove("p1")])], { cursors: { project: 3, point: 3 } });
    expect([read(gone), gone.outcomes]).toMatchObject([["point/c1"], [{ omitted: [["project", "p1"]] }]]);
  });
});

describe("a detail comes under a master that was deleted", () => {
  const refused = (parent: string) => ({
    status: "rejected",
    code: "deleted",
    message: expect.stringContaining(`project ${parent}`) as string,
  });
  const revive = (key: string, domain: string, set: Fields = {}): Op => ({ op: "restore", domain, key, set });

  test("rule 7: a create, a put and a move are refused, and what else their event does with them", async () => {
    const device = await start();
    await device.write([
      create("c1", { projectId: "p2" }, "point"),
      create("i1", { projectId: "p2" }, "invoice"),
    ]);
    await device.write([remove("p1")]);
    expect(await device.write([create("c2", { projectId: "p1" }, "point")])).toMatchObject(refused("p1"));
    expect(await device.write([create("i2", { projectId: "p1" }, "invoice")])).toMatchObject(refused("p1"));
    const put: Op = { op: "put", domain: "point", key: "c3", set: { projectId: "p1" } };
    expect(await device.write([put])).toMatchObject(refused("p1"));
    expect(
      await device.write([update("p2", { name: "moved" }), update("c1", { projectId: "p1" }, "point")]),
    ).toMatchObject(refused("p1"));
    expect(await device.rows("project")).toMatchObject([
      { key: "p2", fields: { name: "p2" } },
      { key: "p1" },
    ]);
    expect(await versions(device, "point")).toEqual([["c1", 3]]);
  });

  test("rule 7: so is a restore, unless its master comes back before it in the same event", async () => {
    const device = await start();
    await device.write([create("c1", { projectId: "p1" }, "point")]);
    await device.write([remove("p1")]);
    const expectBoth = [["project", "p1", 4] as const, ["point", "c1", 4] as const];
    const [master, detail] = [
      revive("p1", "project", { name: "again" }),
      revive("c1", "point", { projectId: "p1" }),
    ];
    const restore = async (ops: Op[]) =>
      (await device.send([{ ...device.event(ops), expect: expectBoth }])).outcomes[0];
    expect(await restore([detail])).toMatchObject(refused("p1"));
    expect(await restore([detail, master])).toMatchObject(refused("p1"));
    expect(await restore([master, detail])).toMatchObject({ status: "applied" });
  });

  test("rule 7: so is what comes under a master after its delete in the same event; what came before goes with it", async () => {
    const device = await start();
    const detail = create("c1", { projectId: "p1" }, "point");
    expect(await device.write([remove("p1"), detail])).toMatchObject(refused("p1"));
    expect(await device.write([detail, remove("p1")])).toMatchObject({ status: "applied" });
    expect(await versions(device, "point")).toEqual([["c1", 3, "deleted"]]);
  });

  test("rule 7: what stays where it is, may be without a master, or has one that never was, is taken", async () => {
    const device = await start();
    const under = (key: string, projectId: string | null): Op => create(key, { projectId }, "point");
    await device.write([under("c1", null), under("c2", "p2")]);
    await device.write([remove("p1")]);
    const taken = [
      update("c1", { label: "a" }, "point"),
      update("c2", { label: "b", projectId: "p2" }, "point"),
      under("c3", "nowhere"),
      create("n1", { projectId: "p1" }, "note"),
    ];
    for (const op of taken) expect(await device.write([op])).toMatchObject({ status: "applied" });
  });
});

describe("unique fields", () => {
  test("§5.2: the second record with the same values is not_unique, and the winner is named", async () => {
    const device = await start();
    await device.write([create("t1", { list: "a", number: 1 }, "task")]);
    expect(await device.write([create("t2", { list: "a", number: 1 }, "task")])).toMatchObject({
      code: "not_unique",
      message: expect.stringContaining("t1") as string,
    });
    expect(await device.write([create("t2", { list: "b", number: 1 }, "task")])).toMatchObject({
      status: "applied",
    });
    expect(await device.write([update("t2", { list: "a" }, "task")])).toMatchObject({ code: "not_unique" });
    expect(await device.write([update("t1", { number: 1 }, "task")])).toMatchObject({ status: "applied" });
  });

  test("§5.2: absent and null values are equal to nothing", async () => {
    const device = await start();
    const outcomes = await device.send([
      device.event([create("t1", { list: "a" }, "task")]),
      device.event([create("t2", { list: "a", number: null }, "task")]),
      device.event([create("t3", { list: "a", number: null }, "task")]),
    ]);
    expect(outcomes.outcomes.map(({ status }) => status)).toEqual(["applied", "applied", "applied"]);
  });

  test("§5.2: within one request and one event values are freed and taken in order; a swap stands", async () => {
    const device = await start();
    const { outcomes } = await device.send([
      device.event([
        create("t1", { list: "a", number: 1 }, "task"),
        create("t2", { list: "a", number: 2 }, "task"),
      ]),
      device.event([create("t3", { list: "a", number: 2 }, "task")]),
      device.event([update("t1", { number: 2 }, "task"), update("t2", { number: 1 }, "task")]),
      device.event([remove("t2", "task")]),
      device.event([create("t4", { list: "a", number: 1 }, "task")]),
      device.event([
        create("t5", { list: "a", number: 9 }, "task"),
        create("t6", { list: "a", number: 9 }, "task"),
      ]),
    ]);
    expect(outcomes.map((outcome) => ("code" in outcome ? outcome.code : outcome.status))).toEqual([
      "applied",
      "not_unique",
      "applied",
      "applied",
      "applied",
      "not_unique",
    ]);
    expect(await device.write([create("t7", { list: "a", number: 9 }, "task")])).toMatchObject({
      status: "applied",
    });
    expect(await device.write([create("t8", { list: "a", number: 2 }, "task")])).toMatchObject({
      code: "not_unique",
      message: expect.stringContaining("t1") as string,
    });
  });
});

describe("a schema on the server", () => {
  test("§5.2: unknown and local domains, wrong fields and wrong values are refused by name", async () => {
    const device = await start();
    expect(await device.write([create("x", {}, "nothing")])).toMatchObject({ code: "unknown_domain" });
    expect(await device.write([create("x", {}, "draft")])).toMatchObject({ code: "unknown_domain" });
    expect(await device.write([{ op: "deleteMany", domain: "nothing", keys: [] }])).toMatchObject({
      code: "unknown_domain",
    });
    expect(await device.write([create("x", { nam: "?" })])).toMatchObject({
      code: "invalid",
      message: expect.stringContaining("nam") as string,
    });
    expect(await device.write([create("x", { name: 7 })])).toMatchObject({
      code: "invalid",
      message: expect.stringContaining("name") as string,
    });
    expect(await device.write([create("c1", { projectId: "p1", label: "ok" }, "point")])).toMatchObject({
      status: "applied",
    });
    expect(await device.write([update("c1", { label: "far too long" }, "point")])).toMatchObject({
      code: "invalid",
      message: expect.stringContaining("label") as string,
    });
    expect(
      await device.write([{ op: "update", domain: "point", key: "c1", unset: ["projectId"] }]),
    ).toMatchObject({ code: "invalid" });
  });

  test("§5.2: counters and sets take their own ops alone, and the record is validated after them", async () => {
    const device = await start();
    await device.write([create("v1", { count: 1, tags: ["b", "a"] }, "vote")]);
    expect(await device.write([update("v1", { count: 2 }, "vote")])).toMatchObject({ code: "invalid" });
    expect(
      await device.write([{ op: "increment", domain: "vote", key: "v1", by: { count: 2 } }]),
    ).toMatchObject({ status: "applied" });
    expect(
      await device.write([{ op: "increment", domain: "vote", key: "v1", by: { count: 1 } }]),
    ).toMatchObject({ code: "invalid" });
    expect(
      await device.write([{ op: "add", domain: "vote", key: "v1", values: { tags: ["c"] } }]),
    ).toMatchObject({ status: "applied" });
    expect(
      await device.write([{ op: "increment", domain: "project", key: "p1", by: { name: 1 } }]),
    ).toMatchObject({ code: "invalid" });
    expect((await device.rows("vote"))[0]).toMatchObject({ fields: { count: 3, tags: ["a", "b", "c"] } });
  });

  test("§5.2: what is stored is what was sent: a default of the server's is not written into it", async () => {
    const device = await start();
    await device.write([create("c1", { projectId: null }, "point")]);
    expect((await device.rows("point"))[0]).toMatchObject({ fields: { projectId: null } });
    expect((await device.rows("point"))[0]).not.toHaveProperty("fields.label");
  });
});
