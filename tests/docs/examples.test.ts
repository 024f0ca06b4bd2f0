import { expect, test } from "vitest";
import { readFiles } from "../style/source-files.js";
import { programsOf } from "./programs.js";
import { runProgram } from "./run-program.js";
import { typeErrors } from "./type-check.js";

const hasPrograms = (path: string): boolean =>
  path === "README.md" ||
  path.startsWith("docs/guide/") ||
  path === "packages/client/README.md" ||
  path === "packages/react/README.md";

const pages = readFiles(["."], [".md"]).filter(({ path }) => hasPrograms(path));
const programs = pages.flatMap(({ path, text }) => programsOf(path, text));
const running = programs.filter(({ runs }) => runs);

test("every example compiles", () => {
  const empty = pages.filter(({ path }) => !programs.some(({ page }) => page === path));
  expect(empty).toEqual([]);
  expect(typeErrors(programs)).toEqual([]);
});

test.each(running.map((program) => [program.page, program.path, program] as const))(
  "the program of %s, %s, runs, prints what it says and ends",
  async (_page, _path, program) => {
    const { code, printed, errors } = await runProgram(program, programs);
    expect({ code, errors, printed }).toEqual({ code: 0, errors: "", printed: program.prints });
  },
);

test("the hello world of the README takes at most 25 lines and says no type", () => {
  const [hello] = running.filter(({ page }) => page === "README.md");
  expect(hello?.lines).toBeLessThanOrEqual(25);
  expect(hello?.text).not.toMatch(/\bas\b|: (string|boolean|number)\b|<\w+>/);
});

test("an example that is wrong is found, in its line", async () => {
  const page = [
    "# A page",
    "```ts run",
    'import { counter } from "@landfall/schema";',
    "const kind: number = counter().merge;",
    "console.log(kind); // → a number",
    "```",
    "",
  ].join("\n");
  const wrong = programsOf("docs/guide/wrong.md", page);
  expect(typeErrors(wrong)).toEqual([
    "docs/guide/wrong.md:4: Type 'string' is not assignable to type 'number'.",
  ]);
  const [program] = wrong;
  expect(program?.prints).toEqual(["a number"]);
  const ended = await runProgram(program as NonNullable<typeof program>, wrong);
  expect(ended).toMatchObject({ code: 0, printed: ["counter"] });
});
