import { portableSha256 } from "@landfall/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { nativeSha256 } from "./platform.js";

test("§5.4: the native hash is the portable one, of texts and of bytes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(Buffer.from(nativeSha256(text)).equals(portableSha256(text))).toBe(true);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(Buffer.from(nativeSha256(bytes)).equals(portableSha256(bytes))).toBe(true);
    }),
  );
});
