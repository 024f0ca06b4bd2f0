/**
 * @typedef {object} Workload
 * @property {string} id As given to `--only`.
 * @property {string} title
 * @property {readonly string[]} sides The drivers that it runs on.
 * @property {Readonly<Record<string, Metric>>} metrics What one run gives, in the order of the table.
 * @property {(context: import("./context.mjs").Context) => Promise<Record<string, number>>} run
 *
 * @typedef {{ label: string, unit: "ms" | "bytes" | "×" | "" }} Metric
 */

export {};
