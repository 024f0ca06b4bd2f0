import { expect, test } from "vitest";
import type { Cut, RowsSchema } from "./cut.js";
import { asKnown, rowsSchema, schemaAfter, unreadable } from "./rows-schema.js";

const of = (version: number, readableFrom = version): RowsSchema => ({ version, readableFrom });
const cut = (schema: RowsSchema | undefined, reset: readonly string[] = []): Cut => ({
  generation: "g",
  schema,
  lastSeq: 0,
  cursors: {},
  reset,
  rows: new Map(),
  outcomes: new Map(),
  digests: {},
});

test("§5.2: base is of an answer's version once its rows are there; of an older one only where all of it is anew", () => {
  expect(schemaAfter(cut(of(1)), undefined, ["a"])).toEqual(of(1));
  expect(schemaAfter(cut(of(3, 2)), of(1), ["a"])).toEqual(of(3, 2));
  expect(schemaAfter(cut(of(1)), of(2), ["a"])).toEqual(of(2));
  expect(schemaAfter(cut(of(1), ["a"]), of(2), ["a", "b"])).toEqual(of(2));
  expect(schemaAfter(cut(of(1), ["a", "b"]), of(2), ["a", "b"])).toEqual(of(1));
  expect(schemaAfter(cut(undefined), of(2), ["a"])).toBeUndefined();
});

test("§5.2: who reads a version stays known where a server that went back does not know it", () => {
  expect(schemaAfter(cut(of(3)), of(3, 2), ["a"])).toEqual(of(3, 2));
  expect(asKnown(of(3, 2), of(3))).toEqual(of(3, 2));
  expect(asKnown(of(4), of(3, 2))).toEqual(of(4));
  expect(asKnown(undefined, of(3, 2))).toBeUndefined();
});

test("§5.2: an app reads what is readable from its version on, and all where nobody says", () => {
  expect(rowsSchema({})).toBeUndefined();
  expect(rowsSchema({ schema: 2 })).toEqual(of(2));
  expect(rowsSchema({ schema: 3, readableFrom: 1 })).toEqual(of(3, 1));
  expect(unreadable(undefined, 1)).toBeUndefined();
  expect(unreadable(of(3, 2), 2)).toBeUndefined();
  expect(unreadable(of(1), 2)).toBeUndefined();
  expect(unreadable(of(9), undefined)).toBeUndefined();
  expect(unreadable(of(3, 2), 1)).toContain("Update the app");
});
