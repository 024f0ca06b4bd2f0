import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeApi } from "./api-text.js";
import { packageNames } from "./packages.js";
import { root } from "./source-files.js";

const isUpdate = process.env.LANDFALL_UPDATE_API === "1";

test.each(packageNames)("what %s exports is what tests/style/api says", (name) => {
  const path = `${root}tests/style/api/${name}.txt`;
  const text = describeApi(name);
  if (isUpdate) writeFileSync(path, text);
  const stored = existsSync(path) ? readFileSync(path, "utf8") : "";
  expect(
    text,
    "The public API has changed. If that is meant, say so in CHANGELOG.md and run: npm run build && LANDFALL_UPDATE_API=1 npx vitest run tests/style/api.test.ts",
  ).toBe(stored);
});
