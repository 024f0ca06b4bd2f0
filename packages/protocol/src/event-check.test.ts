import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Decoded, decode } from "./decode.js";
import { isPlainWrite } from "./event-check.js";
import { eventDecoder } from "./event-decoder.js";
import * as limits from "./limits.js";
import type { WireEvent } from "./op.js";

const stamp = "018f0000-0000-7000-8000-000000000001";
const good = {
  id: stamp,
  seq: 7,
  schema: 1,
  ops: [
    {
      op: "create",
      domain: "point",
      key: "k1",
      set: { title: "é", count: -0.5, done: null, tags: ["a", { b: 1 }] },
    },
  ],
};

let deep: unknown = 0;
for (let level = 0; level <= limits.maxDepth; level++) deep = [deep];

const names = fc.constantFrom(
  ...[
    "",
    ".",
    "a b",
    "*",
    "__proto__",
    "constructor",
    "toString",
    "void",
    "action",
    "expect",
    "was",
    "unset",
  ],
  ...["id", "seq", "schema", "ops", "op", "domain", "key", "set", "title", "n".repeat(128), "n".repeat(129)],
);
const values = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      null,
      undefined,
      true,
      0,
      -1,
      0.5,
      1,
      2 ** 53,
      Number.NaN,
      "\ud800",
      stamp,
      stamp.toUpperCase(),
      deep,
      {},
      [],
    ],
    ...["create", "put", "update", "delete", "restore", JSON.parse('{"__proto__":{}}')],
    Object.fromEntries(Array.from({ length: limits.maxFields }, (_, i) => [`f${i}`, i])),
    Object.fromEntries(Array.from({ length: limits.maxFields + 1 }, (_, i) => [`f${i}`, i])),
  ),
  fc.jsonValue({ maxDepth: 3 }),
  names,
);
const change = fc.record({
  part: fc.constantFrom("event", "ops", "op", "set"),
  name: names,
  value: values,
  gone: fc.boolean(),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function changed(changes: readonly Change[]): Record<string, unknown> {
  const event = structuredClone(good);
  const parts: { readonly [part: string]: object } = {
    event,
    ops: event.ops,
    op: event.ops[0] as object,
    set: (event.ops[0] as { set: object }).set,
  };
  for (const { part, name, value, gone } of changes) {
    const target = parts[part] as object;
    const at = part === "ops" ? String(name.length % 2) : name;
    if (gone && part !== "ops") Reflect.deleteProperty(target, at);
    else Object.defineProperty(target, at, { value, enumerable: true, configurable: true, writable: true });
  }
  return event;
}

/** What the declared decoder says: an empty `expect`, which says nothing, has it look at each member for itself. */
const declared = (event: object): Decoded<WireEvent> => decode(eventDecoder, { ...event, expect: [] });

describe("the check of plain writes", () => {
  it("says yes to nothing but what the declared decoder accepts, and to all events of one create or put", () => {
    const seen = { plain: 0, refused: 0 };
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), (changes) => {
        const event = changed(changes);
        const isPlain = isPlainWrite(event);
        const read = decode(eventDecoder, event);
        if (isPlain) expect(declared(event)).toMatchObject({ ok: true });
        if (isPlain) expect(read).toEqual({ ok: true, value: event });
        if (!Object.hasOwn(event, "expect")) expect(declared(event).ok).toBe(read.ok);
        const [op, ...more] = read.ok && "ops" in read.value ? read.value.ops : [];
        const isOne = (op?.op === "create" || op?.op === "put") && more.length === 0;
        const keys = Object.keys(event).sort().join();
        expect(isPlain).toBe(isOne && keys === "id,ops,schema,seq");
        seen[isPlain ? "plain" : "refused"] += 1;
      }),
      { numRuns: 5_000 },
    );
    expect(seen.plain).toBeGreaterThan(500);
    expect(seen.refused).toBeGreaterThan(1_000);
  });

  it.each([undefined, null, 0, "event", [], [good], new Map(), { ...good, ops: [null] }])(
    "%s is no event",
    (value) => {
      expect(isPlainWrite(value)).toBe(false);
    },
  );
});
