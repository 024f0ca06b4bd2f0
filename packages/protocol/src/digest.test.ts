import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DigestSum, type Sha256, elementHash, portableSha256, recordContent, rowElement } from "./digest.js";
import { type Json, canonicalJson } from "./json.js";
import type { RecordRow } from "./row.js";

const nodeSha256: Sha256 = (data) => createHash("sha256").update(data).digest();

/** DESIGN §5.4 word by word, with buffers: the first 16 bytes of SHA-256(domain ‖ key ‖ entry ‖ version ‖ rowHash). */
function byDefinition(domain: string, key: string, version: number, fieldsAndStamps: string): bigint {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value, "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(version));
  const rowHash = createHash("sha256").update(fieldsAndStamps, "utf8").digest();
  const all = Buffer.concat([text(domain), text(key), text(""), number, rowHash]);
  return BigInt(`0x${createHash("sha256").update(all).digest("hex").slice(0, 32)}`);
}

const created = "018f0000-0000-7000-8000-000000000001";
const renamed = "018f0000-0000-7001-8000-000000000002";
const bridge: RecordRow = {
  domain: "project",
  key: "p1",
  version: 131,
  modifiedAt: 1_795_000_000_223,
  fields: { note: "ü", name: "Bridge 7" },
  stamps: { name: renamed, "*": created },
};

const identifier = fc.stringMatching(/^[A-Za-z0-9._~:-]{1,12}$/);
const row = fc
  .record({
    domain: fc.constant("d"),
    key: identifier,
    version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    fields: fc.dictionary(identifier, fc.jsonValue()),
    stamp: fc.constantFrom(created, renamed),
  })
  .map(({ stamp, fields, ...rest }): RecordRow => ({
    ...rest,
    modifiedAt: 1,
    fields: fields as Record<string, Json>,
    stamps: { "*": stamp },
  }));

describe("rule 10: digest", () => {
  it("rule 10: a row's element is what DESIGN §5.4 says, worked out by hand", () => {
    const content = `{"fields":{"name":"Bridge 7","note":"ü"},"stamps":{"*":"${created}","name":"${renamed}"}}`;
    expect(rowElement(portableSha256, bridge)).toBe(byDefinition("project", "p1", 131, content));
    // A vector for other implementations.
    expect(rowElement(portableSha256, bridge).toString(16)).toBe("e9d84bf4407de7d48f7f49d0637b85fe");
  });

  it("rule 10: agrees with the definition on any row, with either SHA-256", () => {
    fc.assert(
      fc.property(row, (any) => {
        const expected = byDefinition(
          any.domain,
          any.key,
          any.version,
          canonicalJson({ fields: any.fields, stamps: any.stamps }),
        );
        expect(rowElement(portableSha256, any)).toBe(expected);
        expect(rowElement(nodeSha256, any)).toBe(expected);
      }),
    );
  });

  it("rule 10: SHA-256 gives the vectors of FIPS 180-4, also for text outside ASCII", () => {
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
    expect(hex(portableSha256("abc"))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    expect(hex(portableSha256(new Uint8Array(0)))).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(hex(portableSha256(text))).toBe(hex(nodeSha256(text)));
      }),
    );
  });

  it("rule 10: every part of a row counts: domain, key, version, fields and stamps", () => {
    const element = (change: Partial<RecordRow>): bigint =>
      rowElement(portableSha256, { ...bridge, ...change });
    const all = [
      element({}),
      element({ domain: "projects" }),
      element({ key: "p2" }),
      element({ version: 132 }),
      element({ fields: { ...bridge.fields, name: "Bridge 8" } }),
      element({ fields: { name: "Bridge 7" } }),
      element({ stamps: { "*": created } }),
      element({ stamps: { "*": created, name: created } }),
    ];
    expect(new Set(all).size).toBe(all.length);
    // The time of the commit is the version's, and is not content.
    expect(element({ modifiedAt: 5 })).toBe(element({}));
  });

  it("rule 10: what moves from the domain's name to the key's does not go unseen", () => {
    const content = recordContent("{}", "{}");
    expect(elementHash(portableSha256, "ab", "c", 1, content)).not.toBe(
      elementHash(portableSha256, "a", "bc", 1, content),
    );
  });

  it("rule 10: two sides that hold the same versions with other content do not agree", () => {
    const [left, right] = [new DigestSum(), new DigestSum()];
    left.add(rowElement(portableSha256, bridge));
    right.add(rowElement(portableSha256, { ...bridge, fields: { ...bridge.fields, name: "Bridge 8" } }));
    expect(left.count).toBe(right.count);
    expect(left.sum).not.toBe(right.sum);
  });

  it("rule 10: adding and removing commute, and equal a count from nothing", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(row, { selector: (r) => r.key, maxLength: 12 }),
        fc.func(fc.nat()),
        fc.func(fc.boolean()),
        (rows, weight, stays) => {
          const steps = rows.flatMap(
            (r) =>
              (stays(r.key)
                ? [[r, 1]]
                : [
                    [r, 1],
                    [r, -1],
                  ]) as [RecordRow, 1 | -1][],
          );
          const live = new DigestSum();
          for (const [r, by] of steps.sort((a, b) => weight([a[0].key, a[1]]) - weight([b[0].key, b[1]]))) {
            if (by === 1) live.add(rowElement(portableSha256, r));
            else live.remove(rowElement(portableSha256, r));
          }
          const kept = rows.filter((r) => stays(r.key));
          let sum = 0n;
          for (const r of kept)
            sum += byDefinition(
              r.domain,
              r.key,
              r.version,
              canonicalJson({ fields: r.fields, stamps: r.stamps }),
            );
          expect(live.count).toBe(kept.length);
          expect(live.sum).toBe((sum % 2n ** 128n).toString(16).padStart(32, "0"));
          const stored = new DigestSum(live.count, live.sum);
          expect([stored.count, stored.sum]).toEqual([live.count, live.sum]);
        },
      ),
    );
  });

  it("rule 10: the sum wraps at 2^128 and is always 32 digits", () => {
    const sum = new DigestSum();
    expect(sum.sum).toBe("0".repeat(32));
    sum.add(2n ** 128n - 1n);
    expect(sum.sum).toBe("f".repeat(32));
    sum.add(1n);
    expect([sum.count, sum.sum]).toEqual([2, "0".repeat(32)]);
    sum.remove(1n);
    expect(sum.sum).toBe("f".repeat(32));
  });

  it("rule 10: -0 in a field hashes as 0, since JSON has one zero", () => {
    expect(rowElement(portableSha256, { ...bridge, fields: { n: -0 } })).toBe(
      rowElement(portableSha256, { ...bridge, fields: { n: 0 } }),
    );
  });

  it("rule 10: the largest version and the longest names fit", () => {
    const long = "k".repeat(128);
    const content = recordContent("{}", "{}");
    expect(elementHash(portableSha256, long, long, Number.MAX_SAFE_INTEGER, content)).toBe(
      byDefinition(long, long, Number.MAX_SAFE_INTEGER, content),
    );
  });
});
