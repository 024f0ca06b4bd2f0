import { defineSchema, records } from "@landfall/schema";

/** The one space that is measured, and who works in it. */
export const space = "bench";
export const token = "dev:bench";

const types = {
  title: "string",
  status: "string",
  severity: "number",
  assignee: "string",
  note: "string",
  x: "number",
  y: "number",
};

/** @typedef {ReturnType<typeof import("../harness/records.mjs").recordFields>} RecordFields */

/** A validator of the Standard Schema, by hand, so that no validation library is measured. */
const fields = {
  "~standard": {
    version: /** @type {const} */ (1),
    vendor: "bench",
    types: /** @type {{ input: RecordFields, output: RecordFields } | undefined} */ (undefined),
    /** @param {unknown} value */
    validate(value) {
      const record = /** @type {Record<string, unknown>} */ (value);
      for (const [field, type] of Object.entries(types)) {
        if (typeof record[field] !== type)
          return { issues: [{ message: `Expected a ${type}.`, path: [field] }] };
      }
      return { value: /** @type {RecordFields} */ (/** @type {unknown} */ (record)) };
    },
  },
};

export const schema = defineSchema({ version: 1, domains: { point: records({ fields }) } });
