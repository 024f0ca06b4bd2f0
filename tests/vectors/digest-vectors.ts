import {
  DigestSum,
  type Json,
  type RecordRow,
  canonicalJson,
  portableSha256,
  recordContent,
  rowElement,
} from "@landfall/protocol";

const created = "019a3b9e-4c00-7000-8123-456789abcdef";
const later = "019a3b9e-5c11-7002-9a3f-00c0ffee0001";

const values: readonly Json[] = [
  null,
  [],
  {},
  { b: 1, a: [true, false, null] },
  { "10": 1, "9": 2, "": 3, A: 4, a: 5 },
  { "\u{1f600}": "emoji", "\ufb33": "Hebrew", é: "Latin", "e\u0301": "not composed" },
  {
    numbers: [
      333333333.3333333,
      1e30,
      4.5,
      2e-3,
      1e-27,
      1e21,
      1e20,
      1e-7,
      1e-6,
      -0,
      0.1 + 0.2,
      5e-324,
      2 ** 53 - 1,
    ],
  },
  { string: '\u20ac$\u000f\nA\'B"\\\\"/\u007f\u2028\u2029\b\f\t\r\u0000' },
  { deep: { z: { y: { x: [{ w: [] }] } } } },
];

const row = (
  key: string,
  version: number,
  fields: RecordRow["fields"],
  stamps: RecordRow["stamps"],
): RecordRow => ({
  domain: "project",
  key,
  version,
  modifiedAt: 1_795_000_000_000 + version,
  fields,
  stamps,
});

const rows: readonly RecordRow[] = [
  row("p1", 1, {}, { "*": created }),
  row("p1", 2, { name: "Bridge 7" }, { "*": created, name: later }),
  row(
    "p2",
    131,
    { name: "Kai på Ærø \u{1f6a2}", tags: ["a", 1, true], n: 0.1 },
    { "*": created, gone: later },
  ),
  row("k".repeat(128), 2 ** 53 - 1, { z: null, a: { nested: [1e21] } }, { "*": later }),
  { ...row("p1", 1, {}, { "*": created }), domain: "Z.z_~:-9" },
];

/** Canonical texts, one row's number, and sums: rule 10. */
export function digestVectors(): object {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  const sums = [[], [0], [1, 2], [0, 2, 3]].map((chosen) => {
    const sum = new DigestSum();
    for (const at of chosen) sum.add(rowElement(portableSha256, rows[at] as RecordRow));
    return { rows: chosen, count: sum.count, sum: sum.sum };
  });
  return {
    canonical: values.map((value) => ({ value, text: canonicalJson(value) })),
    rows: rows.map((one) => ({
      row: one,
      rowHash: hex(portableSha256(recordContent(canonicalJson(one.fields), canonicalJson(one.stamps)))),
      number: rowElement(portableSha256, one).toString(16).padStart(32, "0"),
    })),
    sums,
  };
}
