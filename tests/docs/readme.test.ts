import { readFileSync } from "node:fs";
import ts from "typescript";
import { expect, test } from "vitest";
import { parse, root, walk } from "../style/source-files.js";

const readme = readFileSync(`${root}README.md`, "utf8");

/** The items of a section's list, each in one line. */
function itemsOf(heading: string): string[] {
  const section = readme.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  return [...section.matchAll(/^- [\s\S]*?(?=\n(?:- |\n))/gm)].map(([item]) => item.replaceAll(/\s+/g, " "));
}

/** The titles in a test file that cite a rule. */
function citing(path: string, rule: number): number {
  let titles = 0;
  walk(parse({ path, text: readFileSync(root + path, "utf8") }), (node) => {
    if (!ts.isStringLiteralLike(node)) return;
    const [, cited = ""] = /^rules? ([\d, and]+):/.exec(node.text) ?? [];
    if ((cited.match(/\d+/g) ?? []).map(Number).includes(rule)) titles += 1;
  });
  return titles;
}

test("every guarantee of the README names a rule and links to tests that cite it", () => {
  const guarantees = itemsOf("What it guarantees");
  expect(guarantees.length).toBeGreaterThan(5);
  for (const guarantee of guarantees) {
    const rule = Number(/Rule (\d+):/.exec(guarantee)?.[1]);
    const files = [...guarantee.matchAll(/\]\(([^)]+\.test\.ts)\)/g)].map(([, path = ""]) => path);
    expect(files.length, guarantee).toBeGreaterThan(0);
    for (const path of files)
      expect(citing(path, rule), `${path} has no title that cites rule ${rule}`).toBeGreaterThan(0);
  }
});

test("every package is in the table of the README", () => {
  const listed = [...readme.matchAll(/^\| \[`@landfall\/([a-z]+)`\]/gm)].map(([, name]) => name);
  expect(new Set(listed)).toEqual(new Set(ts.sys.getDirectories(`${root}packages`)));
});

test("what the README packs for an app is what it installs: packages of that version, with all that they stand on", () => {
  const packed = [...readme.matchAll(/-w packages\/(\w+)/g)].map(([, name = ""]) => name);
  const [, installed = "", version] = /landfall-\{([\w,]+)\}-([\d.]+)\.tgz/.exec(readme) ?? [];
  expect(installed.split(",")).toEqual(packed);
  for (const name of packed) {
    const declared = JSON.parse(readFileSync(`${root}packages/${name}/package.json`, "utf8")) as {
      readonly version: string;
      readonly dependencies?: { readonly [name: string]: string };
    };
    expect(declared.version).toBe(version);
    const ours = Object.keys(declared.dependencies ?? {}).filter((each) => each.startsWith("@landfall/"));
    expect(packed).toEqual(expect.arrayContaining(ours.map((each) => each.slice("@landfall/".length))));
  }
});
