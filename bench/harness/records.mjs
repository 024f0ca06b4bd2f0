/**
 * The data that every workload moves: control points of about 200 bytes of JSON each, the same on every
 * side and in every run.
 */

/** The one domain that is measured. */
export const domain = "point";

/**
 * The fields of record `i`.
 * @param {number} i
 */
export function recordFields(i) {
  return {
    title: `Control point ${i}`,
    status: i % 3 === 0 ? "done" : "open",
    severity: i % 5,
    assignee: `user-${i % 40}`,
    note: "Crack along the northern joint, about two millimetres wide; measure again in spring.",
    x: 1000 + i * 0.25,
    y: 2000 - i * 0.5,
  };
}

/**
 * The key of record `i`: 20 characters in no order, as Landfall makes them for new records, of which the
 * last ones give the record's number back.
 * @param {number} i
 */
export function recordKey(i) {
  const mixed = Math.imul(i + 1, 0x9e3779b1) >>> 0;
  return `${mixed.toString(36).padStart(12, "0")}${i.toString(36).padStart(8, "0")}`;
}

/**
 * Which record a key belongs to.
 * @param {string} key
 */
export function recordIndex(key) {
  return Number.parseInt(key.slice(-8), 36);
}
