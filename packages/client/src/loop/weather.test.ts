import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RemoteFailure } from "../remote/port.js";
import { type World, createWorld, down, minute } from "./loop-world.fixture.js";

const command = fc.oneof(
  fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 90_000 }) }),
  fc.record({
    do: fc.constantFrom("write" as const, "others" as const),
    space: fc.constantFrom("a", "b", "c"),
    count: fc.integer({ min: 1, max: 150 }),
  }),
  fc.record({
    do: fc.constant("weather" as const),
    kind: fc.constantFrom("ok", "down", "garbled", "busy", "pause", "too_large", "expired"),
  }),
  fc.record({
    do: fc.constant("space" as const),
    space: fc.constantFrom("a", "b", "c"),
    kind: fc.constantFrom("again", "later", "outdated", "stuck", "defer", "well"),
  }),
  fc.record({
    do: fc.constantFrom(
      "online" as const,
      "offline" as const,
      "socketLost" as const,
      "socketsRefused" as const,
      "lock" as const,
      "unlock" as const,
      "signIn" as const,
      "restart" as const,
    ),
  }),
  fc.record({
    do: fc.constant("token" as const),
    token: fc.constantFrom("token-1", "token-2", "null", "throws"),
  }),
  fc.record({ do: fc.constant("syncNow" as const) }),
);

async function act(world: World, c: typeof command extends fc.Arbitrary<infer C> ? C : never): Promise<void> {
  const { server, loop, time } = world;
  const held: RemoteFailure = {
    status: 503,
    code: "unavailable",
    message: "Busy.",
    retryAfterMs: 20_000,
  };
  const weathers: { readonly [kind: string]: () => RemoteFailure | "ok" | { readonly backoffMs: number } } = {
    ok: () => "ok",
    down: () => down,
    garbled: () => ({ code: "garbled", message: "Not a server." }),
    busy: () => held,
    pause: () => ({ backoffMs: 15_000 }),
    too_large: () => ({ status: 413, code: "too_large", message: "Too large." }),
    expired: () => ({ status: 401, code: "unauthorized", message: "Expired." }),
  };
  switch (c.do) {
    case "advance":
      return time.advance(c.ms);
    case "write":
      return world.write(c.space, c.count);
    case "others":
      return world.others(c.space, c.count);
    case "weather":
      server.weather = [weathers[c.kind]!];
      return;
    case "space": {
      const space = world.space(c.space);
      space.stuck = c.kind === "stuck";
      space.deferMs = c.kind === "defer" ? 0 : undefined;
      server.spaceErrors.delete(c.space);
      if (c.kind === "again" || c.kind === "later" || c.kind === "outdated") {
        server.spaceErrors.set(c.space, { code: "seq_gap", message: "Trouble." });
        space.recovery =
          c.kind === "again"
            ? { next: "again" }
            : c.kind === "later"
              ? { next: "later", afterMs: 0, reason: "Later." }
              : { next: "stop", state: "outdated", reason: "Old." };
      }
      return;
    }
    case "online":
    case "offline":
      return world.hint(c.do === "online");
    case "socketLost":
      return server.socket?.closed({ unauthorized: false, message: "Lost." });
    case "socketsRefused":
      server.socketsRefused = !server.socketsRefused;
      return;
    case "lock":
      return loop.lock("Locked.");
    case "unlock":
      return loop.unlock();
    case "signIn":
      return loop.signIn();
    case "restart": {
      const stopped = loop.stop();
      loop.start();
      await time.advance(50);
      return stopped;
    }
    case "token":
      world.token = c.token === "null" ? null : c.token === "throws" ? new Error("No token now.") : c.token;
      return;
    case "syncNow":
      loop.syncNow().catch(() => undefined);
  }
}

describe("the loop under random weather", () => {
  test("one exchange at a time, no busy loop, and in the end everything lands", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { minLength: 5, maxLength: 50 }),
        fc.integer(),
        async (commands, seed) => {
          const world = createWorld({ seed, spaces: ["a", "b", "c"] });
          const { server, time, loop } = world;
          server.tokens.add("token-2");
          for (const c of commands) {
            await act(world, c);
            expect(server.mostInFlight).toBeLessThanOrEqual(1);
          }
          // What nobody asks for comes at a bounded pace, however bad it stands.
          await time.advance(minute);
          const before = server.requests.length;
          await time.advance(5 * minute);
          expect((server.requests.length - before) / 5).toBeLessThanOrEqual(20);

          server.weather = [() => "ok"];
          server.spaceErrors.clear();
          server.socketsRefused = false;
          for (const name of ["a", "b", "c"]) {
            world.space(name).stuck = false;
            world.space(name).deferMs = undefined;
          }
          world.token = "token-1";
          loop.unlock();
          world.hint(true);
          loop.signIn();
          await time.advance(60 * minute);
          for (const name of ["a", "b", "c"]) {
            expect(world.space(name).sendable).toBe(0);
            expect(world.space(name).cursor).toBe(server.heads.get(name) ?? 0);
          }
          expect(loop.status).toMatchObject({
            state: "live",
            phase: "idle",
            connection: "socket",
            error: null,
          });
          expect(server.mostInFlight).toBeLessThanOrEqual(1);
          const sync = loop.syncNow();
          await time.advance(1_000);
          await sync;
        },
      ),
      { numRuns: 60 },
    );
  });
});
