import { readFileSync } from "node:fs";
import { transformSync } from "esbuild";
import { describe, expect, it } from "vitest";
import { occurrences, planted } from "./fault.js";
import { faults } from "./faults.js";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

describe("planted faults", () => {
  it("have names of their own", () => {
    expect(new Set(faults.map((fault) => fault.name)).size).toBe(faults.length);
  });

  it.each(faults)("$name has its place in the source, and a test", (fault) => {
    const source = planted(fault, read(fault.file));
    expect(source).not.toBe(read(fault.file));
    // What is no program any more makes its test fail to load, and shows nothing.
    expect(transformSync(source, { loader: "ts", logLevel: "silent" }).code).not.toBe("");
    expect(read(fault.test.file)).toContain(fault.test.title);
    expect(fault.rule).toMatch(/^(rule \d+|§[\d.]+)$/);
    expect(fault.why).toMatch(/^[A-Z].{15,}\.$/);
  });

  it("are found whatever the white space, and only where they stand once", () => {
    expect(occurrences("if (a) {\n  b();\n}", "if (a) { b();")).toEqual([{ start: 0, end: 15 }]);
    const fault = { ...(faults[0] as (typeof faults)[number]), find: "a b", replace: "c" };
    expect(planted(fault, "x a\n  b y")).toBe("x c y");
    expect(() => planted(fault, "a b a b")).toThrow(/stands 2 times/);
    expect(() => planted(fault, "ab")).toThrow(/stands 0 times/);
  });
});
