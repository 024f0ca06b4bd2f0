import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type SettingName, option } from "@landfall/cli/settings";
import { root } from "../style/source-files.js";

test("the README of the command has every flag with its environment variable, and no other", () => {
  const readme = readFileSync(`${root}packages/cli/README.md`, "utf8");
  const documented = [...readme.matchAll(/^\| `(--[^`]+)` \| `(\w+)` \|/gm)].map(([, flag, variable]) => [
    flag,
    variable,
  ]);
  const source = readFileSync(`${root}packages/cli/src/settings.ts`, "utf8");
  const names = [...source.matchAll(/^ {2}(\w+): \{\s*flag: /gm)].map(([, name]) => name as SettingName);
  const declared = names.map((name) => {
    const { flags, envVar } = option(name);
    return [flags, envVar];
  });
  expect(documented).toEqual(declared);
});
