import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isTest, readFiles, root } from "../style/source-files.js";

test("the client's README has every code that it reports, and no other", () => {
  const readme = readFileSync(`${root}packages/client/README.md`, "utf8");
  const table = readme.slice(readme.indexOf("`onReport(code"), readme.indexOf("| Error |"));
  const rows = table.split("\n").filter((line) => line.startsWith("| `"));
  const documented = rows.flatMap((row) =>
    [...(row.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map(([, code]) => code),
  );
  const reported = readFiles(["packages/client/src"], [".ts"]).flatMap(({ path, text }) =>
    isTest(path) ? [] : [...text.matchAll(/\breport\(\s*"(\w+)"/g)].map(([, code]) => code),
  );
  expect(new Set(documented)).toEqual(new Set(reported));
  expect(documented.length).toBe(new Set(documented).size);
});
