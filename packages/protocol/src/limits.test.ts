import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as limits from "./limits.js";

const source = readFileSync(new URL("limits.ts", import.meta.url), "utf8");

describe("limits", () => {
  it("each is a positive whole number", () => {
    for (const value of Object.values(limits)) expect(Number.isSafeInteger(value) && value > 0).toBe(true);
  });

  it("each says what it bounds, and why", () => {
    const reasoned = [...source.matchAll(/\/\*\* (.+) \*\/\nexport const (\w+) =/g)].map(
      (match) => [match[2], match[1] as string] as const,
    );
    expect(new Set(reasoned.map(([name]) => name))).toEqual(new Set(Object.keys(limits)));
    for (const [name, comment] of reasoned)
      expect(comment, name).toMatch(/^.{10,}[:;].{20,}\.$|^.{10,}, .+: .{20,}\.$/);
  });

  it("fit into each other: a batch into a body, a delta into a page, a record into a batch", () => {
    expect(limits.maxBatchBytes).toBeLessThan(limits.maxBodyBytes);
    expect(limits.maxRecordBytes).toBeLessThan(limits.maxBatchBytes);
    expect(limits.maxDeltaRows).toBeLessThan(limits.maxPageRows);
    expect(limits.defaultPageRows).toBeLessThanOrEqual(limits.maxPageRows);
    expect(limits.maxTokenChars).toBeLessThan(limits.maxSocketFrameBytes);
  });
});
