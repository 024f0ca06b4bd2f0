import { existsSync, readFileSync } from "node:fs";
import ts from "typescript";
import { expect, test } from "vitest";
import { isTest, parse, readFiles, root, walk } from "./source-files.js";

/** The numbers of the rules that everything hangs on. */
const rules = Array.from({ length: 12 }, (_, index) => index + 1);

/** `rule 5: …` in a title; one test may hold several: `rules 2, 3: …`, `rules 2 and 3: …`. */
const cited = /\brules? ((?:\d+(?:, | and )?)+):/g;

function numbersIn(title: string): number[] {
  return [...title.matchAll(cited)].flatMap(([, list = ""]) => (list.match(/\d+/g) ?? []).map(Number));
}

/** The rules that the titles of tests and of groups of tests cite. */
const citedByTests = new Set(
  readFiles(["packages", "tests", "examples"], [".ts", ".tsx"])
    .filter(({ path }) => isTest(path) || path.includes("/conformance"))
    .flatMap((source) => {
      const numbers: number[] = [];
      walk(parse(source), (node) => {
        if (!ts.isCallExpression(node)) return;
        const [title] = node.arguments;
        if (title === undefined || !(ts.isStringLiteralLike(title) || ts.isTemplateExpression(title))) return;
        if (/\b(test|it|describe|needs|check)\b/.test(node.expression.getText()))
          numbers.push(...numbersIn(title.getText()));
      });
      return numbers;
    }),
);

test("every rule has a test that names it", () => {
  expect(rules.filter((rule) => !citedByTests.has(rule))).toEqual([]);
});

test("no test names a rule that there is not", () => {
  expect([...citedByTests].filter((rule) => !rules.includes(rule))).toEqual([]);
});

test("docs/protocol.md has a heading for each rule, in order", () => {
  const path = `${root}docs/protocol.md`;
  expect(existsSync(path), "docs/protocol.md is missing").toBe(true);
  const headings = [...readFileSync(path, "utf8").matchAll(/^#{2,4} Rule (\d+)\b/gm)].map(([, rule]) =>
    Number(rule),
  );
  expect(headings).toEqual(rules);
});
