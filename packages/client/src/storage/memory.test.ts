import { describe, expect, it } from "vitest";
import { clientStorageConformance } from "./conformance.js";
import { memoryStorage } from "./memory.js";

clientStorageConformance({ describe, it, expect }, memoryStorage);

describe("memory storage", () => {
  it("says that its data ends with the process", async () => {
    const storage = await memoryStorage().open("ann");
    expect([storage.kind, storage.persistent]).toEqual(["memory", false]);
  });

  it("shares nothing between factories", async () => {
    const storage = await memoryStorage().open("ann");
    await storage.commit([{ type: "put", table: "rows", space: "s", a: "a", b: "b", value: 1 }]);
    expect(await (await memoryStorage().open("ann")).spaces()).toEqual([]);
  });

  it("keeps the very values that it was given", async () => {
    const storage = await memoryStorage().open("ann");
    const value = Object.freeze({ name: "Bridge 7" });
    await storage.commit([{ type: "put", table: "rows", space: "s", a: "a", b: "b", value }]);
    expect(await storage.get("rows", "s", "a", "b")).toBe(value);
  });
});
