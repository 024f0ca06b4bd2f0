import { createTestWorld } from "@landfall/client/testing";
import { defineSchema, records } from "@landfall/schema";
import { createServer, devTokens, sqlite } from "@landfall/server";
import { afterEach, beforeEach, expect, it } from "vitest";
import { z } from "zod";

const schema = defineSchema({
  version: 1,
  domains: {
    project: records({ fields: z.object({ name: z.string() }) }),
    point: records({
      fields: z.object({ project: z.string(), title: z.string() }),
      parent: { domain: "project", field: "project", onDelete: "cascade" },
    }),
  },
  actions: (action) => ({
    report: action(z.object({ project: z.string() }), async (tx, { project }) => {
      tx.point.create({ project, title: "reported" }, { key: "reported" });
    }),
  }),
});

const open = async () => {
  const server = createServer({ schema, storage: sqlite(":memory:"), auth: devTokens(), development: true });
  const world = createTestWorld({ schema, server });
  const devices = [world.client("ann"), world.client("ann")] as const;
  const [site, other] = [await devices[0].open("site-7"), await devices[1].open("site-7")];
  site.project.create({ name: "Bridge" }, { key: "p1" });
  site.project.create({ name: "Quay" }, { key: "p2" });
  await world.settle();
  return { server, world, away: devices[0], site, other };
};
let place: Awaited<ReturnType<typeof open>>;
beforeEach(async () => (place = await open()));
afterEach(async () => {
  await place.world.close();
  await place.server.close();
});

it("rules 7 and 9: what was made under a parent that was deleted meanwhile is in the inbox, and shown nowhere", async () => {
  const { world, away, site, other } = place;
  away.offline();
  const receipts = [
    site.point.create({ project: "p1", title: "crack" }, { key: "c1" }),
    site.write((tx) => {
      tx.point.create({ project: "p1", title: "rust" }, { key: "c2" });
      tx.project.update("p2", { name: "Quay 2" });
    }),
    site.actions.report({ project: "p1" }),
  ];
  await receipts[2]?.shown;
  expect(site.point.all()).toHaveLength(3);
  other.project.delete("p1");
  await world.settle();
  away.online();
  await world.settle();
  for (const { settled } of receipts)
    expect(await settled).toMatchObject({
      status: "rejected",
      code: "deleted",
      message: expect.stringContaining("project p1") as string,
    });
  expect(site.point.all()).toEqual([]);
  expect(other.point.all()).toEqual([]);
  expect(other.project.get("p2")?.name).toBe("Quay");
  const items = site.inbox.current;
  expect(items.map(({ code, domain }) => `${code} ${domain}`)).toEqual([
    "deleted point",
    "deleted point",
    "deleted project",
    "deleted undefined",
  ]);
  const crack = items.find(({ key }) => key === "c1");
  expect(crack).toMatchObject({ kind: "rejected", tried: { project: "p1", title: "crack" } });

  expect(() => site.inbox.retry(crack?.id ?? "")).toThrow("project p1");
  expect(() => site.inbox.keepCopy(crack?.id ?? "")).toThrow("project p1");
  site.project.restore("p1", { name: "Bridge again" });
  site.inbox.retry(crack?.id ?? "");
  await world.settle();
  expect(other.point.get("c1")).toMatchObject({ title: "crack" });
});

it("rule 5: a delete that another device takes back again before it is seen leaves what is pending under it as it is", async () => {
  const { world, away, site, other } = place;
  away.offline();
  const { settled } = site.point.create({ project: "p1", title: "crack" }, { key: "c1" });
  other.project.delete("p1");
  other.project.restore("p1", { name: "Bridge again" });
  await world.settle();
  away.online();
  await world.settle();
  expect(await settled).toMatchObject({ status: "applied" });
  expect([site.point.get("c1")?.title, other.point.get("c1")?.title]).toEqual(["crack", "crack"]);
});

it("rule 7: an atomic write brings a parent back and its details with it, or nothing where somebody was quicker", async () => {
  const { world, away, site, other } = place;
  site.point.create({ project: "p1", title: "crack" }, { key: "c1" });
  await world.settle();
  other.project.delete("p1");
  await world.settle();
  const restore = (of: typeof site, name: string) =>
    of.write((tx) => {
      tx.project.restore("p1", { name });
      tx.point.restore("c1", { project: "p1", title: "crack" });
      tx.point.create({ project: "p1", title: "rust" }, { key: `of ${name}`.replace(" ", "-") });
    });
  away.offline();
  const late = restore(site, "mine");
  expect(site.point.all()).toHaveLength(2);
  const first = restore(other, "theirs");
  await world.settle();
  expect(await first.settled).toMatchObject({ status: "applied" });
  away.online();
  await world.settle();
  expect(await late.settled).toMatchObject({ status: "rejected", code: "expectation_failed" });
  for (const of of [site, other]) {
    expect(of.project.get("p1")?.name).toBe("theirs");
    expect(of.point.all().map(({ key }) => key)).toEqual(["c1", "of-theirs"]);
  }
});

it("rule 7: an atomic write restores what own writes delete before it, offline", async () => {
  const { world, away, site, other } = place;
  away.offline();
  site.project.delete("p2");
  const { settled } = site.write((tx) => tx.project.restore("p2", { name: "Quay again" }));
  away.online();
  await world.settle();
  expect(await settled).toMatchObject({ status: "applied" });
  expect(other.project.get("p2")?.name).toBe("Quay again");
  expect(() => site.write((tx) => tx.project.restore("p2", { name: "twice" }))).toThrow("p2");
});
