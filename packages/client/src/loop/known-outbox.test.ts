import { expect, test } from "vitest";
import { createWorld } from "./loop-world.fixture.js";

test("rule 3: an outbox that the server knows already, from a copy of the device, is settled at full speed", async () => {
  const { server, time, write, space } = createWorld();
  await time.advance(200);
  server.maxEvents = 2;
  server.received.set("a", 40);
  server.heads.set("a", 40);
  write("a", 40);
  await time.advance(10_000);
  expect(space("a").sendable).toBe(0);
});
