import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Json, canonicalJson, sameJson } from "./json.js";

/** A value with its members shuffled, and otherwise the same. */
function shuffled(value: Json, weight: (name: string) => number): Json {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => shuffled(item, weight));
  const entries = Object.entries(value as Record<string, Json>).sort(([a], [b]) => weight(a) - weight(b));
  return Object.fromEntries(entries.map(([name, item]) => [name, shuffled(item, weight)]));
}
const anyJson = fc.jsonValue({ noUnicodeString: false }).map((value) => value as Json);

describe("canonicalJson (RFC 8785)", () => {
  it("rule 10: gives the example of RFC 8785 §3.2.3", () => {
    const value = JSON.parse(String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`) as Json;
    expect(canonicalJson(value)).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  it("rule 10: sorts members by UTF-16 code units, as RFC 8785 §3.2.3 shows", () => {
    const value = JSON.parse(
      String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
    ) as Json;
    const names = [...canonicalJson(value).matchAll(/:"([^"]+)"/g)].map((match) => match[1]);
    expect(names).toEqual([
      "Carriage Return",
      "One",
      "Control",
      "Latin Small Letter O With Diaeresis",
      "Euro Sign",
      "Emoji: Grinning Face",
      "Hebrew Letter Dalet With Dagesh",
    ]);
  });

  it.each([
    ["0000000000000000", "0"],
    ["8000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["8000000000000001", "-5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["ffefffffffffffff", "-1.7976931348623157e+308"],
    ["4340000000000000", "9007199254740992"],
    ["c340000000000000", "-9007199254740992"],
    ["4430000000000000", "295147905179352830000"],
    ["44b52d02c7e14af5", "9.999999999999997e+22"],
    ["44b52d02c7e14af6", "1e+23"],
    ["44b52d02c7e14af7", "1.0000000000000001e+23"],
    ["444b1ae4d6e2ef4e", "999999999999999700000"],
    ["444b1ae4d6e2ef4f", "999999999999999900000"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["41b3de4355555553", "333333333.3333332"],
    ["41b3de4355555556", "333333333.3333334"],
    ["43143ff3c1cb0959", "1424953923781206.2"],
  ])("rule 10: writes the number of RFC 8785 appendix B with the bits %s as %s", (bits, text) => {
    expect(canonicalJson(new DataView(Uint8Array.from(Buffer.from(bits, "hex")).buffer).getFloat64(0))).toBe(
      text,
    );
  });

  it("rule 10: escapes control characters in the short form where there is one, and nothing else", () => {
    expect(canonicalJson('\u0000\b\t\n\u000b\f\r\u001f\u007f\u2028"\\/')).toBe(
      '"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\u007f\u2028\\"\\\\/"',
    );
  });

  it("rule 10: does not depend on the order in which members were put, and loses nothing", () => {
    fc.assert(
      fc.property(anyJson, fc.func(fc.nat()), (value, weight) => {
        expect(canonicalJson(shuffled(value, weight))).toBe(canonicalJson(value));
        expect(canonicalJson(JSON.parse(canonicalJson(value)) as Json)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("reads only the members that a value has itself", () => {
    const value = Object.create({ inherited: 1 }) as Record<string, Json>;
    value["own"] = 2;
    expect(canonicalJson(value)).toBe('{"own":2}');
  });
});

describe("sameJson", () => {
  it("is equality whatever the order of members", () => {
    fc.assert(
      fc.property(anyJson, anyJson, fc.func(fc.nat()), (a, b, weight) => {
        expect(sameJson(a, shuffled(a, weight))).toBe(true);
        expect(sameJson(a, b)).toBe(canonicalJson(a) === canonicalJson(b));
      }),
    );
  });

  it("tells absent from null, and types from their texts", () => {
    expect(sameJson(undefined, null)).toBe(false);
    expect(sameJson(undefined, undefined)).toBe(true);
    expect(sameJson("1", 1)).toBe(false);
    expect(sameJson([], {})).toBe(false);
    expect(sameJson(0, -0)).toBe(true);
  });
});
