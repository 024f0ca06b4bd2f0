import { readFileSync } from "node:fs";
import { transformSync } from "esbuild";
import { describe, expect, it } from "vitest";
import { bugs, caughtAt, caughtByTheWorld, caughtWith } from "@landfall/simulation/bugs/bugs";
import { planted } from "./fault.js";
import { faults } from "./faults.js";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

describe("mistakes that the world must catch", () => {
  it("are at least thirty, under names of their own", () => {
    const names = [...bugs.map(({ name }) => name), ...caughtByTheWorld];
    expect(names.length).toBeGreaterThanOrEqual(30);
    expect(new Set([...names, ...faults.map(({ name }) => name)]).size).toBe(faults.length + bugs.length);
  });

  it("are known by name where the seed that shows one is told", () => {
    const names = new Set([...bugs.map(({ name }) => name), ...caughtByTheWorld]);
    expect(Object.keys(caughtAt).filter((name) => !names.has(name))).toEqual([]);
    expect(Object.keys(caughtWith).filter((name) => caughtAt[name] === undefined)).toEqual([]);
  });

  it.each(bugs)("$name has its place in the source", (bug) => {
    const source = planted(bug, read(bug.file));
    expect(source).not.toBe(read(bug.file));
    expect(transformSync(source, { loader: "ts", logLevel: "silent" }).code).not.toBe("");
    expect(bug.rule).toMatch(/^(rule \d+|§[\d.]+)$/);
    expect(bug.why).toMatch(/^[A-Z].{15,}\.$/);
  });
});
