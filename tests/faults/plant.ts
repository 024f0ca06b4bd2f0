import { fileURLToPath } from "node:url";
import type { Plugin } from "vitest/config";
import { planted } from "./fault.js";
import { faults } from "./faults.js";

const root = fileURLToPath(new URL("../../", import.meta.url)).replaceAll("\\", "/");

/**
 * The plugin that plants a fault into the sources that a test run loads; the files stay as they are.
 *
 * @param name of a fault of `faults.ts`; nothing is planted without one.
 */
export function plant(name: string | undefined): Plugin[] {
  if (name === undefined || name === "") return [];
  const fault = faults.find((one) => one.name === name);
  if (fault === undefined) throw new Error(`There is no fault ${name}. tests/faults lists them.`);
  return [
    {
      name: "landfall-fault",
      enforce: "pre",
      transform(code, id) {
        const path = (id.split("?")[0] as string).replaceAll("\\", "/");
        return path === root + fault.file ? { code: planted(fault, code), map: null } : undefined;
      },
    },
  ];
}
