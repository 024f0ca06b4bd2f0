import { describe, expect, test } from "vitest";
import { createWorld, minute } from "./loop-world.fixture.js";

describe("the loop with a socket", () => {
  test("a poke that names what never comes costs some requests, and the space is live again", async () => {
    const { server, time, loop, requestsWithin } = createWorld();
    await time.advance(200);
    server.socket?.message({ type: "poke", space: "a", domains: ["note"], index: 99, by: "device-2" });
    await time.advance(30_000);
    expect(loop.status.state).toBe("live");
    expect(requestsWithin(30_000)).toBeLessThan(8);
  });

  test("pokes bring an exchange at once, own ones none, and deltas that fit save it", async () => {
    const { server, time, others, space, loop } = createWorld();
    await time.advance(200);
    others("a");
    await time.advance(50);
    expect(server.requests.length).toBe(2);
    server.heads.set("a", 2);
    server.socket?.message({ type: "poke", space: "a", domains: ["note"], index: 2, by: "device-1" });
    await time.advance(50);
    expect(server.requests.length).toBe(2);
    server.heads.set("a", 3);
    server.socket?.message({
      type: "delta",
      space: "a",
      generation: "g1",
      domains: ["note"],
      from: 1,
      index: 3,
      lastSeq: 0,
      rows: [],
    });
    await time.advance(50);
    expect([space("a").cursor, server.requests.length]).toEqual([3, 2]);
    server.heads.set("a", 9);
    server.socket?.message({
      type: "delta",
      space: "a",
      generation: "g1",
      domains: ["note"],
      from: 8,
      index: 9,
      lastSeq: 0,
      rows: [],
    });
    await time.advance(50);
    expect([space("a").cursor, server.requests.length]).toEqual([9, 3]);
    server.heads.set("a", 12);
    server.socket?.message({ type: "heads", time: 1, spaces: { a: { note: 12 }, strange: { note: 4 } } });
    await time.advance(50);
    expect([space("a").cursor, server.requests.length]).toEqual([12, 4]);
    expect(loop.status.state).toBe("live");
  });

  test("heads that come right behind a delta ask for nothing that it brings", async () => {
    const { server, time, space } = createWorld();
    await time.advance(200);
    const a = space("a");
    const take = a.delta.bind(a);
    let store = (): void => undefined;
    a.delta = (message) => new Promise((resolve) => (store = () => resolve(take(message))));
    server.heads.set("a", 3);
    const delta = { generation: "g1", domains: ["note"], from: 0, index: 3, lastSeq: 0, rows: [] };
    server.socket?.message({ type: "delta", space: "a", ...delta });
    server.socket?.message({ type: "heads", time: 1, spaces: { a: { note: 3 } } });
    await time.advance(50);
    store();
    await time.advance(50);
    expect([a.cursor, server.requests.length]).toEqual([3, 1]);
  });

  test("rule 12: heads of another history than base's are asked about at once, however low they are", async () => {
    const { server, loop, time, space } = createWorld({ spaces: ["a", "b"] });
    server.heads.set("a", 9);
    await time.advance(200);
    const heads = (generation: string): void =>
      server.socket?.message({
        type: "heads",
        time: 1,
        spaces: { a: { note: 5 } },
        generations: { a: generation, strange: "g7" },
      });
    const { lastSyncedAt } = loop.status.spaces["a"] ?? {};
    heads("g1");
    await time.advance(50);
    expect(server.requests.length).toBe(1);
    await time.advance(30_000);
    heads("g2");
    expect(loop.status.spaces["a"]?.lastSyncedAt).toBe(lastSyncedAt);
    await time.advance(50);
    expect(server.requests.slice(1).map(({ spaces }) => spaces)).toEqual([["a"]]);
    // It has moved there, or has nothing yet that could be of another.
    for (const generation of ["g2", undefined]) {
      space("a").generation = generation;
      heads("g2");
      await time.advance(50);
    }
    expect(server.requests.length).toBe(2);
  });

  test("rule 12: what heads or a delta of another history name is not waited for", async () => {
    const { server, loop, time } = createWorld();
    server.heads.set("a", 9);
    await time.advance(200);
    const spaces = { a: { note: 99 } };
    server.socket?.message({ type: "heads", time: 1, spaces, generations: { a: "g0" } });
    await time.advance(30_000);
    expect([loop.status.state, server.requests.length]).toEqual(["live", 2]);
    const delta = { domains: ["note"], from: 98, index: 99, lastSeq: 0, rows: [] };
    server.socket?.message({ type: "delta", space: "a", generation: "g0", ...delta });
    await time.advance(30_000);
    expect([loop.status.state, server.requests.length]).toEqual(["live", 3]);
  });

  test("rule 12: what was named in a history that is no more is not waited for", async () => {
    const { server, loop, time, space } = createWorld();
    server.heads.set("a", 9);
    await time.advance(200);
    const a = space("a");
    a.failed = () => {
      server.spaceErrors.clear();
      a.generation = "g2";
      a.cursor = 0;
      return Promise.resolve({ next: "again" });
    };
    server.heads.set("a", 2);
    server.spaceErrors.set("a", { code: "generation_changed", message: "It was wiped." });
    server.socket?.message({ type: "poke", space: "a", domains: ["note"], index: 9, by: "device-2" });
    server.socket?.message({ type: "poke", space: "a", domains: ["note"], index: 10, by: "device-2" });
    await time.advance(1_000);
    expect([loop.status.state, a.cursor, server.requests.length]).toEqual(["live", 2, 3]);
  });

  test("rule 12: a delta of another history than base's is asked about, however low its index is", async () => {
    const { server, time } = createWorld();
    server.heads.set("a", 9);
    await time.advance(200);
    const delta = { domains: ["note"], from: 4, index: 5, lastSeq: 0, rows: [] };
    server.socket?.message({ type: "delta", space: "a", generation: "g2", ...delta });
    await time.advance(50);
    expect(server.requests.length).toBe(2);
  });

  test("heads that tell of several spaces make one exchange", async () => {
    const { server, time } = createWorld({ spaces: ["a", "b", "c"] });
    await time.advance(200);
    const spaces = Object.fromEntries(["a", "b"].map((space) => [space, { note: 5 }]));
    for (const space of ["a", "b"]) server.heads.set(space, 5);
    server.socket?.message({ type: "heads", time: 1, spaces });
    await time.advance(50);
    expect(server.requests.slice(1).map((request) => request.spaces)).toEqual([["a", "b"]]);
  });

  test("a socket that cannot be had means polling every minute, and says so", async () => {
    const { server, loop, time } = createWorld();
    server.socketsRefused = true;
    await time.advance(10 * minute);
    expect(loop.status).toMatchObject({ state: "live", connection: "polling" });
    expect(server.requests.length).toBeGreaterThanOrEqual(9);
    expect(server.requests.length).toBeLessThanOrEqual(12);
    expect(server.sockets).toBeLessThanOrEqual(9);
  });

  test("a lost socket is opened again, and what it missed is heard of by `heads`", async () => {
    const { server, loop, time } = createWorld();
    await time.advance(200);
    server.socket?.closed({ unauthorized: false, message: "Gone." });
    expect(loop.status.connection).toBe("polling");
    await time.advance(7_000);
    expect([loop.status.connection, server.sockets]).toEqual(["socket", 2]);
  });

  test("a server that is gone is found out at the first try in vain to have its socket again, not after the idle time", async () => {
    const { server, loop, time, requestsWithin } = createWorld();
    await time.advance(200);
    server.weather = [() => ({ code: "network", timedOut: false, message: "It cannot be reached." })];
    server.socketsRefused = true;
    server.socket?.closed({ unauthorized: false, message: "Gone." });
    await time.advance(100);
    expect([loop.status.state, loop.status.connection]).toEqual(["live", "polling"]);
    await time.advance(7_000);
    expect([loop.status.state, loop.status.connection]).toEqual(["offline", "offline"]);
    server.weather = [() => "ok"];
    await time.advance(20_000);
    expect([loop.status.state, loop.status.connection]).toEqual(["live", "polling"]);
    await time.advance(minute);
    // Where no socket can be had any more, that one try was it.
    expect(requestsWithin(minute)).toBeLessThan(3);
  });

  test("a socket that fell silent has the server looked for at once", async () => {
    const { server, loop, time } = createWorld();
    await time.advance(200);
    server.weather = [() => ({ code: "network", timedOut: false, message: "It cannot be reached." })];
    server.socket?.closed({ unauthorized: false, silent: true, message: "Silent." });
    await time.advance(100);
    expect(loop.status.state).toBe("offline");
  });

  test("a socket that confirms what is there keeps the time of the last sync", async () => {
    const { server, loop, time } = createWorld({ spaces: ["a", "b"] });
    server.heads.set("a", 5);
    await time.advance(200);
    const first = loop.status.lastSyncedAt as number;
    await time.advance(30_000);
    server.socket?.message({ type: "heads", time: 1, spaces: { a: { note: 5 } } });
    expect(loop.status.spaces["a"]?.lastSyncedAt).toBeGreaterThanOrEqual(first + 30_000);
    expect(loop.status.lastSyncedAt).toBe(first);
    server.socket?.message({ type: "heads", time: 1, spaces: { b: { note: 0 } } });
    expect(loop.status.lastSyncedAt).toBeGreaterThanOrEqual(first + 30_000);
  });

  test("a socket refused for its token asks for another", async () => {
    const world = createWorld();
    await world.time.advance(200);
    world.server.socket?.closed({ unauthorized: true, message: "The token has expired." });
    await world.time.advance(20_000);
    expect(world.asked).toEqual(["start", "refused"]);
    expect(world.loop.status.connection).toBe("socket");
  });

  test("a clone that takes a new device id says hello anew", async () => {
    const world = createWorld();
    await world.time.advance(200);
    world.device = "device-2";
    world.write("a");
    await world.time.advance(200);
    expect([world.server.sockets, world.loop.status.connection]).toEqual([2, "socket"]);
  });
});
