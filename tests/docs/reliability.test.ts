import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { checkers } from "../../packages/simulation/src/checkers/all.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(`${root}docs/reliability.md`, "utf8");

test("the table of promises is that of the checkers", () => {
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  expect(rows).toEqual(checkers.map(({ name, rule, promise }) => `| \`${name}\` | ${rule} | ${promise} |`));
});

test("a seed is replayed as the page says: the same seed is the same run", () => {
  const [command] = page.match(/npm run sim -- --seed \d+/) ?? [""];
  const seed = command.split(" ").at(-1) as string;
  const hash = (): string | undefined =>
    execFileSync(process.execPath, ["scripts/sim.mjs", "--seed", seed, "--jobs", "1", "--no-shrink"], {
      cwd: root,
      encoding: "utf8",
    }).match(/trace hash (\w+)/)?.[1];
  const first = hash();
  expect(first).toMatch(/^\w{8,}$/);
  expect(hash()).toBe(first);
});
