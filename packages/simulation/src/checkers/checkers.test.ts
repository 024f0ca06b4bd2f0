import { describe, expect, it } from "vitest";
import { goodTale } from "../good-tale.fixture.js";
import { verdict } from "../history.fixture.js";
import { checkers } from "./all.js";

describe("checkers", () => {
  it.each(checkers)("$name lets a history pass in which nothing is wrong", ({ name }) => {
    expect(verdict(goodTale().history(), name)).toEqual([]);
  });

  it("say what each of them promises, and by which rule", () => {
    expect(new Set(checkers.map(({ name }) => name)).size).toBe(checkers.length);
    for (const { rule, promise } of checkers) {
      expect(rule).toMatch(/^(rule \d+|§[\d.]+)$/);
      expect(promise).toMatch(/^[A-Z].{20,}\.$/);
    }
  });
});
