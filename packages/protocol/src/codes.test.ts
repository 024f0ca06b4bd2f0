import { describe, expect, it } from "vitest";
import { type CodeEntry, codeEntry, codes } from "./codes.js";

const entries: readonly (readonly [string, CodeEntry])[] = Object.entries(codes);

describe("codes", () => {
  it("are a closed list of at most 45 (DESIGN §6)", () => {
    expect(entries.length).toBeLessThanOrEqual(45);
  });

  it.each(entries)("%s has help that is a sentence, and a status where it ends a request", (code, entry) => {
    expect(code).toMatch(/^[a-z][a-z_]*$/);
    expect(entry.help).toMatch(/^[A-Z].{20,}\.$/);
    if (entry.family === "request") expect(entry.status).toBeGreaterThanOrEqual(400);
    if (entry.status !== undefined) expect(entry.status).toBeLessThan(600);
  });

  it("rule 3: what a client can mend and send again is deferred, and never rejected for good", () => {
    for (const code of ["stale_epoch", "schema_outdated", "locked", "busy"])
      expect(codeEntry(code)).toMatchObject({ family: "deferred", retryable: true });
    for (const [, entry] of entries) if (entry.family === "rejected") expect(entry.retryable).toBe(false);
  });

  it("has every code that DESIGN §6 names", () => {
    const rejected = [
      "invalid",
      "forbidden",
      "exists",
      "missing",
      "deleted",
      "not_unique",
      "unknown_domain",
      "unknown_action",
      "expectation_failed",
      "depends_on",
      "id_conflict",
    ];
    const space = [
      "revoked",
      "generation_changed",
      "cursor_ahead",
      "device_forked",
      "seq_gap",
      "schema_unsupported",
      "quota_exceeded",
    ];
    for (const code of rejected) expect(codeEntry(code)?.family).toBe("rejected");
    for (const code of space) expect(codeEntry(code)?.family).toBe("space");
    expect(codeEntry("too_large")?.status).toBe(413);
    expect(codeEntry("not_found")?.status).toBe(404);
  });

  it("a code of a newer server, or the name of what every object inherits, is none of ours", () => {
    for (const code of ["from_the_future", "toString", "__proto__", "constructor", ""])
      expect(codeEntry(code)).toBeUndefined();
  });
});
