import type { Outcome } from "@landfall/protocol";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createEngine } from "../engine.js";
import type { SpaceCommit } from "../engine-types.js";
import { sqlite } from "../storage/sqlite.js";
import { TestDevice, type TestEvent, create, world } from "./device.test.fixture.js";
import { NaiveReplica } from "./naive-replica.test.fixture.js";

const text = "x".repeat(3_000);

test("rule 2 and §7: a full disk defers the whole group, tells of nothing, and what was acknowledged before stands; with room it goes on", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "landfall-")), "a.db");
  const here = await world({ storage: sqlite(file, { maxBytes: 600_000 }) });
  const told: SpaceCommit[] = [];
  here.engine.onCommit((commit) => told.push(commit));
  const devices = Array.from({ length: 4 }, () => new TestDevice(here));
  const acknowledged = new Map<string, Outcome>();
  const waiting = new Map<TestDevice, TestEvent[]>(devices.map((device) => [device, []]));
  let refused = 0;
  for (let round = 0; round < 30; round++) {
    await Promise.all(
      devices.map(async (device, i) => {
        const queue = waiting.get(device) as TestEvent[];
        while (queue.length < 5) queue.push(device.event([create(`${i}-${device.seq}`, { text })]));
        const { outcomes } = await device.send(queue);
        for (const outcome of outcomes) {
          if (outcome.status === "deferred") {
            expect(outcome.code).toBe("busy");
            refused += 1;
          } else {
            acknowledged.set(outcome.id, outcome);
            queue.splice(
              queue.findIndex(({ id }) => id === outcome.id),
              1,
            );
          }
        }
      }),
    );
  }
  expect(refused).toBeGreaterThan(100);
  expect(acknowledged.size).toBeGreaterThan(40);
  expect(told.flatMap(({ events }) => events.map(({ index }) => index))).toEqual(
    Array.from({ length: acknowledged.size }, (_, i) => i + 1),
  );
  const reader = new NaiveReplica(new TestDevice(here), ["project"]);
  const answer = await reader.device.send([], { ...reader.asking(), limit: 10_000 });
  reader.take(answer, []);
  expect(reader.live()).toHaveLength(acknowledged.size);
  expect(reader.digest("project", answer.head)).toEqual(answer.digests?.["project"]);
  await here.engine.close();

  const storage = sqlite(file);
  const roomy = { ...here, storage, engine: createEngine({ storage }) };
  for (const [device, queue] of waiting) {
    const later = new TestDevice(roomy, device.user, device.device);
    expect((await later.send(queue)).outcomes.every(({ status }) => status === "applied")).toBe(true);
  }
  const whole = new NaiveReplica(new TestDevice(roomy), ["project"]);
  const last = await whole.device.send([], { ...whole.asking(), limit: 10_000 });
  whole.take(last, []);
  expect(last.head).toBe(acknowledged.size + 20);
  expect(whole.digest("project", last.head)).toEqual(last.digests?.["project"]);
  await roomy.engine.close();
});
