import { describe, expect, test } from "vitest";
import { type ProjectSummary, choose, inOrder, nextNumber, summarize } from "./project-list.js";
import type { ControlPoint, Deviation, Project } from "./records.js";

const meta = { version: 1, modifiedAt: 1, pending: false, deleted: false };

const project = (key: string, fields: Partial<Project> = {}): Project => ({
  key,
  number: key,
  name: `Project ${key}`,
  status: "open",
  visits: 0,
  tags: [],
  $: meta,
  ...fields,
});
const point = (key: string, projectId: string, isChecked: boolean): ControlPoint => ({
  key,
  projectId,
  title: key,
  $: meta,
  ...(isChecked ? { check: { result: "ok", by: "ann", at: 1 } } : {}),
});
const deviation = (
  key: string,
  projectId: string,
  severity: Deviation["severity"],
  more: Partial<Deviation> = {},
): Deviation => ({
  key,
  projectId,
  title: key,
  severity,
  reported: { by: "ann", at: 1 },
  $: meta,
  ...more,
});

describe("a summary", () => {
  test("counts what belongs to the project, and no more", () => {
    const [a, b] = summarize(
      [project("a"), project("b")],
      [point("1", "a", true), point("2", "a", false), point("3", "gone", true)],
      [deviation("1", "a", "minor"), deviation("2", "a", "critical"), deviation("3", "a", "major")],
    );
    expect(a).toMatchObject({ points: 2, checked: 1, openDeviations: 3, worst: "critical", pending: false });
    expect(b).toMatchObject({ points: 0, checked: 0, openDeviations: 0, worst: undefined });
  });

  test("leaves closed deviations out of the worst", () => {
    const closed = { closed: { by: "ann", at: 2 } };
    const [a] = summarize(
      [project("a")],
      [],
      [deviation("1", "a", "critical", closed), deviation("2", "a", "minor")],
    );
    expect(a).toMatchObject({ openDeviations: 1, worst: "minor" });
  });

  test("is pending when anything below the project is", () => {
    const pending = { $: { ...meta, pending: true } };
    const [a, b] = summarize([project("a"), project("b")], [], [deviation("1", "b", "minor", pending)]);
    expect([a?.pending, b?.pending]).toEqual([false, true]);
  });
});

describe("the list", () => {
  const keys = (found: readonly ProjectSummary[]): string[] => found.map((one) => one.project.key);
  const all = summarize(
    [
      project("10", { name: "Quay wall", place: "Harbour", tags: ["concrete"] }),
      project("9", { name: "Boiler house", status: "closed" }),
      project("2", { name: "Canal bridge", place: "Harbour road" }),
    ],
    [],
    [deviation("1", "2", "minor"), deviation("2", "10", "major")],
  );

  test("is ordered by number as people count, by name, and by what is worst", () => {
    expect(keys(choose(all, { filter: "all", order: "number", search: "" }))).toEqual(["2", "9", "10"]);
    expect(keys(choose(all, { filter: "all", order: "name", search: "" }))).toEqual(["9", "2", "10"]);
    expect(keys(choose(all, { filter: "all", order: "severity", search: "" }))).toEqual(["10", "2", "9"]);
  });

  test("shows what the filter says and every word is found in", () => {
    expect(keys(choose(all, { filter: "closed", order: "number", search: "" }))).toEqual(["9"]);
    expect(keys(choose(all, { filter: "open", order: "number", search: "HARBOUR" }))).toEqual(["2", "10"]);
    expect(keys(choose(all, { filter: "open", order: "number", search: " harbour  concrete " }))).toEqual([
      "10",
    ]);
    expect(keys(choose(all, { filter: "open", order: "number", search: "boiler" }))).toEqual([]);
  });
});

test("names are in the order that people count in", () => {
  expect(["Bolt 10", "bolt 2", "Anchor", "Bolt 1"].toSorted(inOrder)).toEqual([
    "Anchor",
    "Bolt 1",
    "bolt 2",
    "Bolt 10",
  ]);
});

test("the next number is one more than the highest, in its form", () => {
  expect(nextNumber([])).toBe("1");
  expect(nextNumber(["2026-009", "2026-010", "2026-002"])).toBe("2026-011");
  expect(nextNumber(["2025-120", "2026-099"])).toBe("2026-100");
  expect(nextNumber(["B-7", "B-12"])).toBe("B-13");
  expect(nextNumber(["annex"])).toBe("1");
});
