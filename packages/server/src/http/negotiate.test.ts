import fc from "fast-check";
import { expect, test } from "vitest";
import { LandfallError } from "../landfall-error.js";
import { negotiate } from "./negotiate.js";

test.each([
  [undefined, "json"],
  ["", "json"],
  ["*/*", "json"],
  ["application/*", "json"],
  ["application/json", "json"],
  ["application/x-ndjson", "ndjson"],
  ["application/x-ndjson, application/json", "json"],
  ["application/x-ndjson, application/json;q=0.5", "ndjson"],
  ["application/x-ndjson, */*;q=0.1", "ndjson"],
  ["text/html, */*;q=0.1", "json"],
  ["application/json;q=0, */*", "ndjson"],
  ["APPLICATION/X-NDJSON", "ndjson"],
])("Accept: %s is answered as %s", (accept, format) => {
  expect(negotiate(accept)).toBe(format);
});

test.each(["text/html", "application/json;q=0", "image/*, text/*", "application/json;q=x"])(
  "Accept: %s is refused",
  (accept) => {
    expect(() => negotiate(accept)).toThrow(LandfallError);
  },
);

test("is total", () => {
  fc.assert(
    fc.property(fc.string(), (accept) => {
      try {
        negotiate(accept);
      } catch (error) {
        expect((error as LandfallError).code).toBe("not_acceptable");
      }
    }),
  );
});
