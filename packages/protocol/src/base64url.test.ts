import * as fc from "fast-check";
import { expect, it } from "vitest";
import { fromBase64Url, toBase64Url } from "./base64url.js";

it("bytes survive, as Node writes them", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = toBase64Url(bytes);
      expect(text).toBe(Buffer.from(bytes).toString("base64url"));
      expect(fromBase64Url(text)).toEqual(bytes);
    }),
  );
});

it("a text that is not the one for its bytes is refused", () => {
  for (const text of ["A", "AAAAA", "AB", "AAB", "A=", "AA==", "A+", "A/", "A A", "é"])
    expect(fromBase64Url(text), text).toBeUndefined();
});

it("any text is refused or is the only one for its bytes", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), (text) => {
      const bytes = fromBase64Url(text);
      if (bytes) expect(toBase64Url(bytes)).toBe(text);
    }),
  );
});
