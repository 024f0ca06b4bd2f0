import { stampReading } from "@landfall/protocol";
import { defineSchema, records } from "@landfall/schema";
import { expect, test } from "vitest";
import { z } from "zod";
import { createClient } from "./client.js";
import { platformPorts } from "./platform.js";
import { memoryStorage } from "./storage/memory.js";

const schema = defineSchema({
  version: 1,
  domains: { note: records({ fields: z.object({ text: z.string() }) }) },
});

test("rule 6: opened again and again, a client's stamps run hardly ahead of its clock, and never back", async () => {
  const nowMs = 1_795_000_000_000;
  const storage = memoryStorage();
  const ports = {
    ...platformPorts(),
    clock: { now: () => nowMs },
    net: { fetch: () => Promise.reject(new TypeError("There is no network.")) },
    notes: undefined,
  };
  let before = "";
  for (let time = 0; time < 5; time++) {
    const client = createClient({
      schema,
      url: "http://127.0.0.1:9",
      credentials: () => "dev:ann",
      storage,
      ports,
    });
    const space = await client.space("s").open();
    const receipt = space.note.create({ text: `Time ${time}` });
    await receipt.saved;
    expect(receipt.id > before).toBe(true);
    before = receipt.id;
    await client.close();
  }
  // Within what a person takes for the same moment, although no time has passed at all.
  expect(stampReading(before).ms - nowMs).toBeLessThan(2_000);
});
