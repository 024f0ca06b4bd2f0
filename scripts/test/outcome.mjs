/**
 * What a step of `npm test` brought.
 *
 * @typedef {{
 *   passed: number,
 *   failed: number,
 *   skipped: readonly { name: string, reason: string }[],
 *   note?: string,
 *   output?: string,
 * }} Outcome `note` is a figure to show beside the step, `output` what to show when it failed.
 */

/**
 * The outcome of a program that is one check: it passes when the program ends with code 0.
 *
 * @param {{ code: number, output: string }} ended
 * @returns {Outcome}
 */
export function fromExit({ code, output }) {
  return code === 0 ? { passed: 1, failed: 0, skipped: [] } : { passed: 0, failed: 1, skipped: [], output };
}

/** @param {readonly Outcome[]} outcomes @returns {Outcome} */
export function sum(outcomes) {
  return {
    passed: outcomes.reduce((total, { passed }) => total + passed, 0),
    failed: outcomes.reduce((total, { failed }) => total + failed, 0),
    skipped: outcomes.flatMap(({ skipped }) => skipped),
    output: outcomes.flatMap(({ output }) => (output === undefined ? [] : [output])).join("\n"),
  };
}
