import { describe, expect, test } from "vitest";
import type { RemoteFailure } from "../remote/port.js";
import { createVirtualTime } from "../testing-time.js";
import { createWorld, down, minute } from "./loop-world.fixture.js";

describe("the loop", () => {
  test("lands at once, opens the socket, and then stays quiet for minutes", async () => {
    const { server, loop, time, requestsWithin } = createWorld();
    server.heads.set("a", 7);
    await time.advance(200);
    expect(loop.status).toMatchObject({
      state: "live",
      connection: "socket",
      phase: "idle",
      error: null,
      reason: "",
    });
    expect(loop.status.lastSyncedAt).not.toBeNull();
    expect(server.watched).toEqual({ a: ["note"] });
    await time.advance(5 * minute);
    expect(server.requests.length).toBe(1);
    await time.advance(10 * minute);
    expect(requestsWithin(15 * minute)).toBeLessThanOrEqual(2);
    expect(requestsWithin(11 * minute)).toBe(1);
  });

  test("a write goes at once, and all that came in during an exchange goes with the next", async () => {
    const { server, time, write, space } = createWorld();
    await time.advance(200);
    write("a");
    for (let i = 0; i < 9; i++) write("a");
    await time.advance(100);
    expect(server.requests.map(({ events }) => events)).toEqual([0, 1, 9]);
    expect(space("a").sendable).toBe(0);
    expect(server.mostInFlight).toBe(1);
  });

  test("all due spaces go in one request", async () => {
    const { server, time } = createWorld({ spaces: ["a", "b", "c"] });
    await time.advance(100);
    expect(server.requests).toMatchObject([{ spaces: ["a", "b", "c"] }]);
  });

  test("a request holds at most 64 spaces, and none is left out for long", async () => {
    const names = Array.from({ length: 150 }, (_, i) => `s${i}`);
    const { server, time } = createWorld({ spaces: names });
    await time.advance(1_000);
    expect(server.requests.map(({ spaces }) => spaces.length)).toEqual([64, 64, 22]);
    expect(new Set(server.requests.flatMap(({ spaces }) => spaces)).size).toBe(150);
  });

  test("spaces that share the budget take turns", async () => {
    const { server, time, write, space } = createWorld({ spaces: ["a", "b", "c"] });
    await time.advance(200);
    server.maxEvents = 100;
    write("a", 1_000);
    write("b", 30);
    write("c", 30);
    await time.advance(110);
    expect([space("b").sendable, space("c").sendable]).toEqual([0, 0]);
    expect(space("a").sendable).toBeGreaterThan(0);
    await time.advance(1_000);
    expect(space("a").sendable).toBe(0);
    expect(Math.max(...server.requests.map(({ events }) => events))).toBe(100);
  });

  test("waiting for one's turn is no fault: many full outboxes empty without a pause", async () => {
    const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    const { time, write, space } = createWorld({ spaces: names });
    await time.advance(200);
    for (const name of names) write(name, 300);
    await time.advance(1_000);
    expect(names.map((name) => space(name).sendable)).toEqual(names.map(() => 0));
  });

  test("without a network it is offline with a growing pace, and a write then waits its turn", async () => {
    const { server, loop, time, write, requestsWithin, space } = createWorld();
    server.weather = [() => down];
    await time.advance(10 * minute);
    expect(loop.status).toMatchObject({
      state: "offline",
      phase: "blocked",
      connection: "offline",
      error: { code: "network" },
    });
    const retryAt = loop.status.error?.retryAt as number;
    expect(retryAt).toBeGreaterThan(time.clock.now());
    expect(server.requests.length).toBeLessThanOrEqual(10);
    for (let i = 0; i < 50; i++) write("a");
    await time.advance(1_000);
    expect(requestsWithin(1_000)).toBeLessThanOrEqual(1);
    server.weather = [() => "ok"];
    await time.advance(7 * minute);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
  });

  test("coming online is tried at once; going offline is believed only so far", async () => {
    const { server, loop, time, hint, write, space } = createWorld();
    await time.advance(200);
    hint(false);
    expect(loop.status.state).toBe("offline");
    write("a");
    await time.advance(80_000);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
    server.weather = [() => down];
    write("a");
    await time.advance(3 * minute);
    expect(loop.status.state).toBe("offline");
    server.weather = [() => "ok"];
    hint(true);
    await time.advance(100);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
  });

  test("Retry-After and Landfall-Backoff are obeyed, by impatience too", async () => {
    const { server, loop, time, write } = createWorld();
    await time.advance(200);
    server.weather = [
      () => ({
        status: 503,
        code: "unavailable",
        message: "The server is busy.",
        retryAfterMs: 90_000,
      }),
      () => ({ backoffMs: 40_000 }),
      () => "ok",
    ];
    write("a");
    await time.advance(100);
    expect(loop.status).toMatchObject({
      state: "backing-off",
      reason: "The server is busy.",
      error: { code: "unavailable" },
    });
    await expect(loop.syncNow()).rejects.toMatchObject({
      code: "unavailable",
      message: "The server is busy.",
    });
    await time.advance(89_000);
    expect(server.requests.length).toBe(2);
    await time.advance(25_000);
    expect(server.requests.length).toBe(3);
    expect(loop.status).toMatchObject({ state: "live", error: { code: "paused" } });
    write("a");
    const before = server.requests.length;
    const backoffEnd = server.requests.at(-1)!.atMs + 40_000;
    await time.advance(backoffEnd - time.uptime.now());
    expect(server.requests.length).toBe(before);
    await time.advance(12_000);
    expect(server.requests.length).toBe(before + 1);
  });

  test("a portal's page is told apart from a server, and backs off", async () => {
    const { server, loop, time } = createWorld();
    server.weather = [() => ({ code: "garbled", message: "What answered is not a Landfall server." })];
    await time.advance(minute);
    expect(loop.status).toMatchObject({ state: "backing-off", error: { code: "garbled" } });
    expect(server.requests.length).toBeLessThanOrEqual(6);
  });

  test("413 halves the batch until it passes, and an event that is too large alone is the space's to give up", async () => {
    const { server, loop, time, write, space } = createWorld();
    await time.advance(200);
    server.maxEvents = 30;
    write("a", 200);
    await time.advance(3_000);
    expect(space("a").sendable).toBe(0);
    expect(space("a").failures).toEqual([]);
    expect(server.infos).toBe(1);
    server.maxEvents = 0;
    write("a", 2);
    await time.advance(3_000);
    expect(space("a").failures).toEqual(["too_large", "too_large"]);
    expect(loop.status.state).toBe("live");
    server.maxEvents = 100;
    write("a", 2_000);
    await time.advance(10_000);
    expect(space("a").sendable).toBe(0);
    expect(Math.max(...server.requests.slice(-5).map(({ events }) => events))).toBe(30);
  });

  test("a batch that takes too long is halved too", async () => {
    const { server, time, write, space } = createWorld();
    await time.advance(200);
    const slow: RemoteFailure = { code: "network", message: "The server does not answer.", timedOut: true };
    server.weather = [() => slow, () => slow, () => "ok"];
    write("a", 100);
    await time.advance(20_000);
    expect(server.requests.map(({ events }) => events).slice(1, 6)).toEqual([100, 50, 25, 25, 25]);
    await time.advance(1_000);
    expect(space("a").sendable).toBe(0);
  });

  test("limits of the server are asked for once, where one batch is not enough", async () => {
    const { server, time, write, space } = createWorld();
    server.maxEvents = 1_000;
    await time.advance(200);
    expect(server.infos).toBe(0);
    write("a", 2_500);
    await time.advance(300);
    expect(server.infos).toBe(1);
    expect(server.requests.map(({ events }) => events).slice(1)).toEqual([100, 1_000, 1_000, 400]);
    expect(space("a").sendable).toBe(0);
  });

  test("401: credentials are asked again, then needs-auth with a reason; a sign-in goes on at once", async () => {
    const world = createWorld();
    const { server, loop, time, asked, write, space } = world;
    await time.advance(200);
    server.tokens = new Set(["token-2"]);
    world.token = "token-2";
    write("a");
    await time.advance(100);
    expect(asked).toEqual(["start", "refused"]);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
    server.tokens = new Set(["token-3"]);
    write("a");
    await time.advance(10 * minute);
    expect(loop.status).toMatchObject({
      state: "needs-auth",
      reason: "The token has expired.",
      error: { code: "unauthorized" },
    });
    expect(asked.length).toBeLessThanOrEqual(10);
    world.token = "token-3";
    loop.signIn();
    await time.advance(100);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
  });

  test("nobody signed in: not one request, until somebody is", async () => {
    const world = createWorld({ token: null });
    await world.time.advance(minute);
    expect(world.loop.status).toMatchObject({ state: "signed-out", reason: "Nobody is signed in." });
    await expect(world.loop.syncNow()).rejects.toMatchObject({ code: "signed-out" });
    expect(world.server.requests.length).toBe(0);
    world.token = "token-1";
    world.loop.signIn();
    await world.time.advance(100);
    expect(world.loop.status.state).toBe("live");
  });

  test("credentials that throw back off with the reason", async () => {
    const world = createWorld({ token: new Error("The sign-in service is down.") });
    await world.time.advance(minute);
    expect(world.loop.status).toMatchObject({ state: "backing-off", error: { code: "credentials" } });
    expect(world.loop.status.reason).toContain("The sign-in service is down.");
    expect(world.asked.length).toBeLessThanOrEqual(6);
  });

  test("a token is renewed before it expires, and one that never gets younger is not asked for in a loop", async () => {
    const startMs = createVirtualTime().clock.now();
    const jwt = (expiresInMs: number): string =>
      `x.${btoa(JSON.stringify({ exp: Math.floor((startMs + expiresInMs) / 1_000) }))}.y`;
    const first = jwt(10 * minute);
    const world = createWorld({ token: first });
    const { time, server, asked } = world;
    server.tokens.add(first);
    await time.advance(8 * minute);
    expect(asked).toEqual(["start"]);
    const next = jwt(60 * minute);
    server.tokens.add(next);
    world.token = next;
    await time.advance(1.5 * minute);
    expect(asked).toEqual(["start", "renew"]);
    await time.advance(70 * minute);
    expect(asked.length).toBeLessThanOrEqual(2 + 45);
    expect(world.loop.status.state).toBe("live");
  });

  test("space errors: again goes on, later waits, stop stops only that space, and syncNow says why", async () => {
    const { server, loop, time, space, write } = createWorld({ spaces: ["a", "b"] });
    await time.advance(200);
    space("a").recovery = {
      next: "stop",
      state: "revoked",
      reason: "You are no longer a member of this space.",
    };
    server.spaceErrors.set("a", { code: "revoked", message: "No longer a member." });
    write("a");
    await time.advance(100);
    expect(loop.status).toMatchObject({
      state: "revoked",
      reason: "You are no longer a member of this space.",
      spaces: { a: { state: "revoked" }, b: { state: "live" } },
    });
    write("a");
    write("b");
    await time.advance(5 * minute);
    expect(server.requests.slice(2).every(({ spaces }) => !spaces.includes("a"))).toBe(true);
    expect(space("b").sendable).toBe(0);
    const [failure] = await Promise.all([loop.syncNow().catch((error: unknown) => error), time.advance(100)]);
    expect(failure).toMatchObject({ name: "SyncError", code: "revoked" });
    server.spaceErrors.delete("a");
    const again = loop.syncNow();
    await time.advance(200);
    await again;
    expect(loop.status.state).toBe("live");
  });

  test("a syncNow that comes while an exchange is under way is answered by one that follows at once", async () => {
    const { server, loop, time } = createWorld();
    server.latencyMs = 200;
    await time.advance(100);
    expect([server.requests.length, loop.status.state]).toEqual([1, "catching-up"]);
    const sync = loop.syncNow();
    await time.advance(1_000);
    expect([server.requests.length, loop.status.state]).toEqual([2, "live"]);
    await sync;
  });

  test("a syncNow that comes while an attempt is under way which fails has one of its own, and no more than that", async () => {
    const { server, loop, time } = createWorld();
    server.latencyMs = 200;
    const lost = { status: 0, code: "network", message: "The server cannot be reached." } as const;
    server.weather = [() => lost, () => "ok"];
    await time.advance(100);
    const sync = loop.syncNow();
    await time.advance(500);
    await sync;
    expect([server.requests.length, loop.status.state]).toEqual([2, "live"]);

    server.weather = [() => lost];
    void loop.syncNow().catch(() => undefined);
    await time.advance(100);
    const again = loop.syncNow().catch((error: unknown) => error);
    await time.advance(400);
    expect(await again).toMatchObject({ code: "network" });
    expect(server.requests).toHaveLength(4);
  });

  test("an error that the space always answers with `again`, and an answer that never comes further, make no hot loop", async () => {
    const { server, loop, time, space } = createWorld({ spaces: ["a", "b"] });
    server.spaceErrors.set("a", { code: "seq_gap", message: "An event is missing." });
    space("b").stuck = true;
    await time.advance(10 * minute);
    expect(server.requests.length).toBeLessThanOrEqual(40);
    expect(loop.status.state).toBe("catching-up");
    await expect(
      Promise.race([loop.syncNow(), time.advance(minute).then(() => "waits")]),
    ).rejects.toMatchObject({ code: "catching-up" });
  });

  test("`later` without end makes no hot loop, whatever time it asks for", async () => {
    const { server, time, space } = createWorld();
    server.spaceErrors.set("a", { code: "quota_exceeded", message: "The space is full." });
    space("a").recovery = { next: "later", afterMs: 0, reason: "The space is full." };
    await time.advance(10 * minute);
    expect(server.requests.length).toBeLessThanOrEqual(12);
  });

  test("a deferred event holds sending, not fetching", async () => {
    const { server, time, write, space, others, loop } = createWorld();
    await time.advance(200);
    space("a").deferMs = 30_000;
    server.received.set("a", 5);
    write("a", 6);
    await time.advance(100);
    const before = server.requests.length;
    write("a");
    await time.advance(10_000);
    expect(server.requests.length).toBe(before);
    others("a");
    await time.advance(100);
    expect(server.requests.at(-1)).toMatchObject({ events: 0 });
    expect(loop.status).toMatchObject({
      state: "live",
      reason: "The server asked to send some writes later.",
    });
    space("a").deferMs = undefined;
    await time.advance(40_000);
    expect(space("a").sendable).toBe(0);
    expect(loop.status).toMatchObject({ state: "live", reason: "" });
  });

  test("a long first sync is broken off at a checkpoint for writes, and goes on from there", async () => {
    const { server, time, write, space, loop } = createWorld();
    server.heads.set("a", 100_000);
    server.streamMs = 1_000;
    await time.advance(5_000);
    expect(loop.status.spaces["a"]?.progress).toMatchObject({ total: 100_000, unit: "changes" });
    expect(loop.status).toMatchObject({ state: "catching-up", phase: "fetching" });
    write("a");
    await time.advance(10_000);
    expect(server.received.get("a")).toBe(1);
    expect(space("a").cursor).toBeLessThan(100_000);
    expect(server.requests).toMatchObject([{ events: 0 }, { events: 1 }]);
    await time.advance(200_000);
    expect(loop.status).toMatchObject({ state: "live" });
    expect(space("a").cursor).toBe(100_001);
    expect(loop.status.spaces["a"]?.progress).toBeNull();
  });

  test("a space whose own work fails, or that the answer leaves out, backs off alone", async () => {
    const { server, loop, time, space, write } = createWorld({ spaces: ["a", "b", "c"] });
    space("a").end = () => Promise.reject(new Error("The disk is full."));
    space("b").request = () => Promise.reject(new Error("The storage is gone."));
    server.silent.add("c");
    await time.advance(minute);
    const { a, b, c } = loop.status.spaces;
    expect([a?.reason, b?.reason, c?.reason]).toEqual([
      "Error: The disk is full.",
      "Error: The storage is gone.",
      "The server's answer leaves the space out.",
    ]);
    expect(server.requests.length).toBeLessThanOrEqual(15);
    server.silent.clear();
    await time.advance(5 * minute);
    write("c");
    await time.advance(100);
    expect([space("c").sendable, loop.status.spaces["c"]?.state]).toEqual([0, "live"]);
  });

  test("a fault in a space's staging ends the exchange, and backs off", async () => {
    const { server, loop, time, space } = createWorld();
    space("a").begin = () => {
      throw new Error("A fault.");
    };
    await time.advance(minute);
    expect(loop.status).toMatchObject({
      state: "backing-off",
      error: { code: "internal", message: "Error: A fault." },
    });
    expect(server.requests.length).toBeLessThanOrEqual(6);
  });

  test("a space that is removed while its answer is under way gets no end", async () => {
    const { loop, time, space } = createWorld();
    let ends = 0;
    space("a").end = () => {
      ends += 1;
      return Promise.resolve({ moreToFetch: false });
    };
    await time.advance(10);
    loop.removeSpace("a");
    await time.advance(minute);
    expect([ends, loop.status.state]).toEqual([0, "live"]);
  });

  test("a wrong clock is told, corrected, and stops nothing", async () => {
    const { time, loop, write, space } = createWorld();
    await time.advance(200);
    expect(loop.status.clockSkewMs).toBe(0);
    const year = 365 * 24 * 60 * minute;
    for (const wrongMs of [3 * year, -2 * year]) {
      time.clock.wrongMs = wrongMs;
      write("a");
      await time.advance(200);
      expect(loop.status.clockSkewMs).toBe(wrongMs);
      expect(loop.status.lastSyncedAt as number).toBeLessThan(time.clock.now() - wrongMs + minute);
      expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
    }
  });

  test("locked, nothing goes; unlocked, it goes on", async () => {
    const { server, time, loop, write, space } = createWorld();
    await time.advance(200);
    loop.lock("The app is locked.");
    write("a");
    await time.advance(5 * minute);
    expect(loop.status).toMatchObject({ state: "locked", reason: "The app is locked." });
    expect(server.requests.length).toBe(1);
    await expect(loop.syncNow()).rejects.toMatchObject({ code: "locked" });
    loop.unlock();
    await time.advance(100);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
  });

  test("stop ends what is under way and lets nothing more out; a start goes on", async () => {
    const { server, time, loop, write, space, statuses } = createWorld();
    await time.advance(10);
    const told = statuses.length;
    const stopped = loop.stop();
    await time.advance(100);
    await stopped;
    write("a");
    await expect(loop.syncNow()).rejects.toMatchObject({ code: "stopped" });
    await time.advance(10 * minute);
    expect([server.requests.length, statuses.length]).toEqual([1, told]);
    loop.start();
    await time.advance(100);
    expect(space("a").sendable).toBe(0);
    expect(server.mostInFlight).toBe(1);
  });
});
