import type { DeltaMessage, Row } from "@landfall/protocol";
import { expect, test } from "vitest";
import { deltaCut } from "./delta-cut.js";

const row: Row = { domain: "note", key: "n", version: 3, modifiedAt: 3, deleted: true };
const message: DeltaMessage = {
  type: "delta",
  space: "s",
  generation: "g",
  domains: ["note"],
  from: 2,
  index: 3,
  lastSeq: 0,
  rows: [row],
};
const apply = (schema: number | undefined, base: number | undefined) =>
  deltaCut(
    { ...message, ...(schema !== undefined && { schema }) },
    ["note"],
    { cursors: { note: 2 }, schema: base === undefined ? undefined : { version: base, readableFrom: base } },
    () => undefined,
  );

test("§6.1: a delta is applied only to a base whose rows are in its version; with any other an exchange follows", () => {
  for (const version of [undefined, 2])
    expect(apply(version, version)).toMatchObject({
      cursors: { note: 3 },
      rows: new Map([["note", new Map([["n", row]])]]),
    });
  expect(apply(2, 1)).toBeUndefined();
  expect(apply(1, 2)).toBeUndefined();
  expect(apply(2, undefined)).toBeUndefined();
  expect(apply(undefined, 2)).toBeUndefined();
});
