import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decode } from "./decode.js";
import { eventDecoder, eventIdentityDecoder } from "./event-decoder.js";
import { opsConflict } from "./ops-conflict.js";
import type { Op } from "./op.js";

const id = "018f0000-0000-7000-8000-000000000001";
const on = (key: string, domain = "d") => ({ domain, key });

describe("events", () => {
  it("are ops, an action or void, and never two of them", () => {
    expect(decode(eventDecoder, { id, seq: 1, ops: [] }).ok).toBe(true);
    for (const both of [
      { ops: [], void: true },
      { ops: [], action: "a", args: 1 },
      { void: true, action: "a", args: 1 },
      { void: false },
      { action: "a" },
      {},
    ]) {
      expect(decode(eventDecoder, { id, seq: 1, ...both }).ok).toBe(false);
    }
  });

  it("rule 9: an event that is malformed elsewhere still has its id and seq, so that it gets an outcome of its own", () => {
    expect(decode(eventIdentityDecoder, { id, seq: 4, ops: "what" })).toEqual({
      ok: true,
      value: { id, seq: 4 },
    });
    for (const event of [null, 1, [], {}, { id }, { seq: 1 }, { id: "x", seq: 1 }, { id, seq: 0 }])
      expect(decode(eventIdentityDecoder, event).ok).toBe(false);
  });

  it("a seq is a whole number from 1", () => {
    for (const seq of [0, -1, 1.5, "1", null, 2 ** 53])
      expect(decode(eventDecoder, { id, seq, ops: [] }).ok).toBe(false);
  });
});

describe("opsConflict (DESIGN §5.3)", () => {
  it.each<[string, Op[]]>([
    [
      "two ops on one key",
      [
        { op: "update", ...on("a"), set: {} },
        { op: "delete", ...on("a") },
      ],
    ],
    [
      "an op on a key that a deleteMany names",
      [
        { op: "deleteMany", domain: "d", keys: ["a", "b"] },
        { op: "create", ...on("b"), set: {} },
      ],
    ],
    ["a key twice in a deleteMany", [{ op: "deleteMany", domain: "d", keys: ["a", "a"] }]],
    ["a deleteMany of nothing", [{ op: "deleteMany", domain: "d" }]],
    ["a deleteMany by keys and by version", [{ op: "deleteMany", domain: "d", keys: [], upTo: 1 }]],
    [
      "an op beside a deleteMany by version",
      [
        { op: "deleteMany", domain: "d", upTo: 1 },
        { op: "create", ...on("b"), set: {} },
      ],
    ],
    [
      "a deleteMany by version after an op",
      [
        { op: "create", ...on("b"), set: {} },
        { op: "deleteMany", domain: "d", upTo: 1 },
      ],
    ],
    [
      "two deleteMany by version",
      [
        { op: "deleteMany", domain: "d", upTo: 1 },
        { op: "deleteMany", domain: "d", upTo: 2 },
      ],
    ],
    ["a field that is set and unset", [{ op: "update", ...on("a"), set: { f: 1 }, unset: ["f"] }]],
    ["a field that is unset twice", [{ op: "update", ...on("a"), unset: ["f", "g", "f"] }]],
  ])("refuses %s", (_name, ops) => {
    expect(opsConflict(ops)).toMatch(/^(the|a) .+/);
  });

  it.each<[string, Op[]]>([
    ["nothing", []],
    [
      "keys that differ by domain",
      [
        { op: "delete", ...on("a") },
        { op: "delete", ...on("a", "e") },
      ],
    ],
    [
      "a name that another domain and key would make",
      [
        { op: "delete", ...on("b:c", "a") },
        { op: "delete", ...on("c", "a:b") },
      ],
    ],
    [
      "a deleteMany by version beside other domains",
      [
        { op: "deleteMany", domain: "d", upTo: 1 },
        { op: "delete", ...on("a", "e") },
      ],
    ],
    [
      "fields named like what every object inherits",
      [{ op: "update", ...on("a"), set: { f: 1 }, unset: ["toString"] }],
    ],
  ])("lets %s pass", (_name, ops) => {
    expect(opsConflict(ops)).toBeUndefined();
  });

  it("finds every pair of ops on one key, whatever stands between", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("d", "e"), fc.constantFrom("a", "b", "c", "g")), { maxLength: 6 }),
        (names) => {
          const ops = names.map(([domain, key]): Op => ({ op: "delete", domain, key }));
          const twice = names.some(([domain, key], i) =>
            names.some(([d, k], j) => i !== j && d === domain && k === key),
          );
          expect(opsConflict(ops) !== undefined).toBe(twice);
        },
      ),
    );
  });
});
