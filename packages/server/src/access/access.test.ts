import { infoAnswer, decode, isIdentifier } from "@landfall/protocol";
import { describe, expect, test } from "vitest";
import type { AnyTxDomain, MembershipChange, SpaceCommit } from "../engine-types.js";
import { TestDevice, addMember, create, world } from "../exchange/device.test.fixture.js";

const [ann, bob, eve] = [{ id: "ann" }, { id: "bob" }, { id: "eve" }];

describe("spaces", () => {
  test("§15: the maker owns the space; an id that is taken is not_available to anyone, in the same words", async () => {
    const { engine } = await world();
    expect(await engine.spaces(ann)).toMatchObject([{ space: "site-7", role: "owner", head: 0 }]);
    const refusals = await Promise.all(
      [ann, eve].map((user) => engine.createSpace(user, "site-7").catch((error: unknown) => error)),
    );
    expect(refusals[0]).toMatchObject({ code: "not_available", status: 409 });
    expect((refusals[1] as Error).message).toBe((refusals[0] as Error).message);
  });

  test("§15: without an id the server makes one that cannot be guessed", async () => {
    const { engine } = await world();
    const [one, two] = [await engine.createSpace(bob), await engine.createSpace(bob)];
    expect(isIdentifier(one.space) && one.space.length === 20 && one.space !== two.space).toBe(true);
    expect(one.generation).not.toBe(two.generation);
    await expect(engine.createSpace(bob, "a/b")).rejects.toMatchObject({ code: "invalid_request" });
  });

  test("§6: info names my spaces with heads, roles and members, and the limits", async () => {
    const here = await world({ name: "test" });
    await addMember(here, "bob", "reader");
    await new TestDevice(here).write([create("p1")]);
    const info = await here.engine.info(bob);
    expect(decode(infoAnswer, JSON.parse(JSON.stringify(info))).ok).toBe(true);
    expect(info).toMatchObject({
      user: "bob",
      server: "test",
      protocol: 1,
      spaces: { "site-7": { role: "reader", head: 1, members: 2, generation: here.generation } },
    });
    expect((await here.engine.info(eve)).spaces).toEqual({});
  });
});

describe("members", () => {
  test("§15: owners manage members, writers and readers do not, and strangers learn nothing", async () => {
    const here = await world();
    const { engine } = here;
    await addMember(here, "bob", "writer");
    await expect(engine.setMember(bob, "site-7", "eve", "reader")).rejects.toMatchObject({
      code: "forbidden",
      status: 403,
    });
    for (const call of [
      () => engine.members(eve, "site-7"),
      () => engine.setMember(eve, "site-7", "eve", "owner"),
      () => engine.removeMember(eve, "site-7", "bob"),
      () => engine.wipeSpace(eve, "site-7"),
      () => engine.heads(eve, "site-7", []),
      () => engine.position(eve, "site-7", "d"),
      () => engine.rows(eve, { space: "site-7", domain: "project" }),
    ]) {
      const here7 = await call().catch((error: unknown) => error);
      expect(here7).toMatchObject({
        code: "not_found",
        status: 404,
        message: "There is no such space, or you may not know of it.",
      });
    }
    await expect(engine.members(eve, "nowhere")).rejects.toMatchObject({
      message: "There is no such space, or you may not know of it.",
    });
    expect(await engine.members(bob, "site-7")).toMatchObject([
      { user: "ann", role: "owner" },
      { user: "bob", role: "writer" },
    ]);
    await expect(engine.setMember(ann, "site-7", "", "reader")).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  test("§15: whoever could not be removed again is no member: an id is text, and SQLite gives it back whole", async () => {
    const { engine } = await world();
    for (const id of ["", "x".repeat(257), "\ud800", "ben\u0000"])
      await expect(engine.setMember(ann, "site-7", id, "owner")).rejects.toMatchObject({
        code: "invalid_request",
        message: expect.stringContaining("1–256 characters of text") as string,
      });
    expect(await engine.members(ann, "site-7")).toHaveLength(1);
    for (const id of ["ben@example.org", "Ägir Ø", "x".repeat(256), "a/../b"]) {
      await engine.setMember(ann, "site-7", id, "owner");
      await engine.removeMember(ann, "site-7", id);
    }
    expect(await engine.members(ann, "site-7")).toHaveLength(1);
  });

  test("§15: the last owner can neither go nor step down", async () => {
    const here = await world();
    const { engine } = here;
    await expect(engine.removeMember(ann, "site-7", "ann")).rejects.toMatchObject({ code: "last_owner" });
    await expect(engine.setMember(ann, "site-7", "ann", "reader")).rejects.toMatchObject({
      code: "last_owner",
    });
    await addMember(here, "bob", "owner");
    await engine.setMember(bob, "site-7", "ann", "reader");
    expect(await engine.mayRead(ann, "site-7")).toBe(true);
    await engine.removeMember(ann, "site-7", "ann");
    expect(await engine.mayRead(ann, "site-7")).toBe(false);
    await expect(engine.removeMember(bob, "site-7", "ann")).rejects.toMatchObject({ code: "not_found" });
  });

  test("§6.1: changes of members are told after they are stored, and only where something changed", async () => {
    const here = await world();
    const told: MembershipChange[] = [];
    const stop = here.engine.onMembership((change) => told.push(change));
    await addMember(here, "bob", "writer");
    await addMember(here, "bob", "writer");
    await here.engine.removeMember(bob, "site-7", "bob");
    stop();
    await addMember(here, "bob", "reader");
    expect(told).toEqual([
      { space: "site-7", user: "bob", role: "writer" },
      { space: "site-7", user: "bob" },
    ]);
  });
});

describe("inspection", () => {
  test("§7: it shows spaces, heads, domains, and how far behind each device is, those that only read too", async () => {
    const here = await world();
    await addMember(here, "bob", "reader");
    const [writer, reader] = [new TestDevice(here, "ann", "laptop"), new TestDevice(here, "bob", "phone")];
    await writer.write([create("p1")]);
    await reader.rows("project");
    here.clock.nowMs += 1_000;
    await writer.send([writer.event([create("p2")]), writer.event([create("p3")])], {
      acked: 1,
      cursors: { project: 1 },
    });
    await here.engine.space("site-7").write((tx) => (tx["project"] as AnyTxDomain).create({}, { key: "p4" }));
    const [space] = await here.engine.inspect();
    expect(space).toMatchObject({
      space: "site-7",
      generation: here.generation,
      head: 4,
      members: [
        { user: "ann", role: "owner" },
        { user: "bob", role: "reader" },
      ],
      domains: [{ domain: "project", head: 4, live: 4, horizon: 0 }],
      devices: [
        { device: "laptop", user: "ann", lastSeq: 3, acked: 1, seenAt: here.clock.nowMs, lag: 1 },
        { device: "phone", user: "bob", lastSeq: 0, lag: 3 },
      ],
    });
    expect(space?.devices).toHaveLength(2);
    expect(here.engine.stats()).toMatchObject({ exchanges: 3, events: { applied: 3 }, lostGroups: 0 });
  });
});

describe("generations", () => {
  test("rule 12: a wipe leaves members, empties the rest, says why, and is poked", async () => {
    const here = await world();
    await addMember(here, "bob", "writer");
    const device = new TestDevice(here);
    await device.write([create("p1")]);
    const commits: SpaceCommit[] = [];
    here.engine.onCommit((commit) => commits.push(commit));
    await expect(here.engine.wipeSpace(bob, "site-7")).rejects.toMatchObject({ code: "forbidden" });
    const { generation } = await here.engine.wipeSpace(ann, "site-7");
    expect(commits).toMatchObject([
      { generation, events: [{ index: 2, domains: [{ domain: "project", from: 1 }], rows: undefined }] },
    ]);
    expect(await device.fails([], { cursors: { project: 1 } })).toMatchObject({
      code: "generation_changed",
      generation,
      reason: "wiped",
      parent: here.generation,
      at: 1,
    });
    const fresh = new TestDevice({ ...here, generation }, "ann", device.device);
    const answer = await fresh.send([fresh.event([create("p1", { again: true })])], {
      cursors: { project: 0 },
    });
    expect(answer).toMatchObject({
      head: 3,
      lastSeq: 1,
      outcomes: [{ status: "applied", index: 3 }],
      digests: { project: { count: 1 } },
    });
    expect(await here.engine.members(bob, "site-7")).toHaveLength(2);
  });

  test("rule 12: a restore starts seqs anew, and events of before are known by their ids", async () => {
    const here = await world();
    const device = new TestDevice(here);
    const known = device.event([create("p1", { votes: 0 })]);
    await device.send([known]);
    await here.storage.setGeneration(here.space, { generation: "restored-1", reason: "restored", at: 1 });
    expect(await device.fails([])).toMatchObject({
      code: "generation_changed",
      reason: "restored",
      parent: here.generation,
      at: 1,
    });
    const later = new TestDevice({ ...here, generation: "restored-1" }, "ann", device.device);
    later.seq = 1;
    const answer = await later.send([{ ...known, seq: 1 }, later.event([create("p2")])], {
      cursors: { project: 0 },
    });
    expect(answer.outcomes).toMatchObject([
      { seq: 1, status: "duplicate", of: "applied", index: 1 },
      { seq: 2, status: "applied", index: 2 },
    ]);
    const stranger = new TestDevice({ ...here, generation: "restored-1" });
    expect((await stranger.send([{ ...known, seq: 1 }])).outcomes).toMatchObject([{ code: "id_conflict" }]);
  });

  test("rule 12: a client that missed several generations hears what they come to", async () => {
    const here = await world();
    const device = new TestDevice(here);
    for (const key of ["p1", "p2", "p3"]) await device.write([create(key)]);
    await here.storage.setGeneration(here.space, { generation: "r1", reason: "restored", at: 3 });
    await here.storage.setGeneration(here.space, { generation: "r2", reason: "restored", at: 2 });
    expect(await device.fails([])).toMatchObject({
      generation: "r2",
      reason: "restored",
      parent: here.generation,
      at: 2,
    });
    expect(await device.fails([], { generation: "r1" })).toMatchObject({
      generation: "r2",
      reason: "restored",
      parent: "r1",
      at: 2,
    });
    const { generation } = await here.engine.wipeSpace(ann, "site-7");
    await here.storage.setGeneration(here.space, { generation: "r3", reason: "restored", at: 4 });
    expect(await device.fails([])).toMatchObject({
      generation: "r3",
      reason: "wiped",
      parent: here.generation,
      at: 2,
    });
    expect(await device.fails([], { generation })).toMatchObject({
      reason: "restored",
      parent: generation,
      at: 4,
    });
    expect(await device.fails([], { generation: "foreign" })).toMatchObject({
      code: "generation_changed",
      generation: "r3",
      parent: generation,
    });
  });

  test("rule 12: a cursor or a scan ahead of the head proves lost history, and nothing is handled then", async () => {
    const device = new TestDevice(await world());
    await device.write([create("p1")]);
    const event = device.event([create("p2")]);
    expect(await device.fails([event], { cursors: { project: 2 } })).toMatchObject({
      code: "cursor_ahead",
      head: 1,
    });
    expect(await device.fails([], { cursors: { project: 1 }, scan: { project: 5 } })).toMatchObject({
      code: "cursor_ahead",
    });
    expect(await device.fails([], { cursors: { project: 1 }, generation: undefined })).toMatchObject({
      code: "invalid_space",
    });
    expect((await device.send([event])).outcomes).toMatchObject([{ status: "applied", index: 2 }]);
  });
});
