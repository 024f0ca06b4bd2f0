import { describe, expect, test } from "vitest";
import { createWorld, minute } from "./loop-world.fixture.js";

describe("a space that was stopped (DESIGN §8)", () => {
  test("a space whose member was removed is asked for every five minutes: who is invited again is let in", async () => {
    const { server, loop, time, space, write } = createWorld();
    await time.advance(200);
    space("a").recovery = { next: "stop", state: "revoked", reason: "You are no longer a member." };
    server.spaceErrors.set("a", { code: "revoked", message: "No longer a member." });
    write("a");
    await time.advance(100);
    const before = server.requests.length;
    await time.advance(30 * minute);
    expect(server.requests.length - before).toBeGreaterThan(3);
    expect(server.requests.length - before).toBeLessThan(8);
    expect(loop.status.state).toBe("revoked");
    server.spaceErrors.delete("a");
    await time.advance(7 * minute);
    expect(loop.status.state).toBe("live");
  });

  test("a server of another protocol makes its spaces outdated; it is asked again every five minutes", async () => {
    const { server, loop, time } = createWorld();
    server.weather = [
      () => ({
        status: 400,
        code: "protocol_unsupported",
        message: "This server speaks another protocol version.",
      }),
    ];
    await time.advance(4 * minute);
    expect(loop.status).toMatchObject({
      state: "outdated",
      reason: "This server speaks another protocol version.",
    });
    expect(server.requests.length).toBe(1);
    server.weather = [() => "ok"];
    await time.advance(3 * minute);
    expect([loop.status.state, server.requests.length]).toEqual(["live", 2]);
  });

  test("§5.2: a space whose rows the app cannot read is outdated, and asked again every five minutes and when somebody syncs", async () => {
    const { server, loop, time, space, write } = createWorld();
    await time.advance(200);
    space("a").outdated = "Update the app.";
    write("a");
    await time.advance(100);
    expect(loop.status).toMatchObject({ state: "outdated", reason: "Update the app." });
    const before = server.requests.length;
    await time.advance(30 * minute);
    expect(server.requests.length - before).toBeGreaterThan(3);
    expect(server.requests.length - before).toBeLessThan(8);
    const synced = loop.syncNow().catch((error: unknown) => error);
    await time.advance(100);
    expect(await synced).toMatchObject({ code: "outdated", message: "a: Update the app." });
    space("a").outdated = undefined;
    await time.advance(7 * minute);
    expect(loop.status.state).toBe("live");
  });

  test("§5.2: the progress of a space that was outdated counts from where it goes on, and is never without an end", async () => {
    const { server, loop, time, space, others, statuses } = createWorld();
    await time.advance(200);
    const fake = space("a");
    const request = fake.request.bind(fake);
    // It asks without cursors until it knows that it can read what comes; that brings no rows.
    fake.request = async (budget) => {
      fake.stuck = fake.outdated !== undefined;
      server.rowsPerCheckpoint = fake.stuck ? Number.POSITIVE_INFINITY : 1_000;
      const part = await request(budget);
      return fake.stuck ? { ...part, request: { ...part.request, cursors: {} } } : part;
    };
    fake.outdated = "Update the app.";
    others("a", 500);
    await time.advance(5 * minute + 30_000);
    expect(loop.status.state).toBe("outdated");
    server.heads.set("a", 10_000);
    server.streamMs = 50;
    fake.cursor = 1_000;
    const before = statuses.length;
    void loop.syncNow();
    // The answer that tells it was asked for without cursors still.
    await time.advance(1);
    fake.outdated = undefined;
    await time.advance(minute);
    const seen = statuses.slice(before).flatMap(({ spaces }) => spaces["a"]?.progress ?? []);
    expect(seen[0]).toEqual({ done: 2_000, total: 9_000, unit: "changes" });
    expect(loop.status.state).toBe("live");
  });

  test("a revoked message is confirmed by an exchange", async () => {
    const { server, time } = createWorld();
    await time.advance(200);
    server.socket?.message({ type: "revoked", space: "a" });
    await time.advance(100);
    expect(server.requests.length).toBe(2);
  });
});
