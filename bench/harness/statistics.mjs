/**
 * The middle value, or the mean of the two middle ones.
 * @param {readonly number[]} values
 */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? at(sorted, middle) : (at(sorted, middle - 1) + at(sorted, middle)) / 2;
}

/**
 * The smallest value that at least `share` of the values do not exceed (nearest rank).
 * @param {readonly number[]} values
 * @param {number} share Between 0 and 1.
 */
export function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return at(sorted, Math.max(0, Math.ceil(share * sorted.length) - 1));
}

/** @param {readonly number[]} values @param {number} index */
function at(values, index) {
  const value = values[index];
  if (value === undefined) throw new Error("There are no values to summarize.");
  return value;
}
