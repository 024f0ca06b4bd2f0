import { describe, expect, it } from "vitest";
import { isFieldName, isIdentifier, isSafeMember } from "./identifier.js";

describe("identifiers", () => {
  it.each(["a", "A-Z_0.9~:", "...", "-", ":", "x".repeat(128), "toString", "0"])(
    "%j names a thing",
    (text) => {
      expect(isIdentifier(text)).toBe(true);
      expect(isFieldName(text)).toBe(true);
    },
  );

  it.each([
    "",
    "x".repeat(129),
    "a/b",
    "a b",
    "a\n",
    "\na",
    "é",
    "\ud800",
    "a*",
    "*",
    "a\u0000",
    "＿",
    "__proto__",
    "constructor",
    "prototype",
  ])("%j does not", (text) => {
    expect(isIdentifier(text)).toBe(false);
    expect(isFieldName(text)).toBe(false);
  });

  it("the steps of a path are no names, since no URL carries them", () => {
    for (const text of [".", ".."]) {
      expect(isIdentifier(text)).toBe(false);
      expect(new URL(`http://host/v1/spaces/${encodeURIComponent(text)}/members`).pathname).not.toContain(
        `/${text}/`,
      );
    }
  });

  it("every identifier is ASCII, so that its length in characters is its length in bytes (DESIGN §5.4)", () => {
    for (let code = 0; code < 0x1_00_00; code++) {
      if (isIdentifier(String.fromCharCode(code))) expect(code).toBeLessThan(128);
    }
  });

  it("members of JSON values may have any name but those that reach a prototype", () => {
    expect(["__proto__", "constructor", "prototype"].map(isSafeMember)).toEqual([false, false, false]);
    expect(["", "*", "a b", "é", "toString"].map(isSafeMember)).toEqual([true, true, true, true, true]);
  });
});
