import { existsSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";
import { listFiles, readFiles, root } from "./source-files.js";

const folders = ["packages", "examples", "bench", "tests", "docs", "scripts", ".ci"];
const docs = readFiles(["."], [".md"]);
const allPaths = [...listFiles("."), ".ci/run", "package-lock.json"];

/** Whether what stands between backticks is meant as a path of this repository. */
function looksLikePath(text: string): boolean {
  if (!/^[\w.*{},/-]+$/.test(text) || text.includes("//")) return false;
  const [first = ""] = text.split("/");
  if (folders.includes(first) && text.includes("/")) return true;
  return !text.includes("/") && /^[\w-]+\.(md|json|lock|mjs)$|^tsconfig[\w.]*$/.test(text);
}

/** A path may name a folder, a file, or with `*` and `{a,b}` several; at least one of them has to be there. */
function exists(text: string, folder: string): boolean {
  const path = text.replace(/\/$/, "");
  const isPattern = /[*{]/.test(path);
  if (!isPattern) return existsSync(root + path) || existsSync(posix.join(root, folder, path));
  const pattern = path
    .replaceAll(".", "\\.")
    .replaceAll("**/", "\u0000")
    .replaceAll("*", "[^/]*")
    .replaceAll("\u0000", "(?:.*/)?")
    .replace(/\{([^}]*)\}/g, (_, names: string) => `(?:${names.replaceAll(",", "|")})`);
  const expression = new RegExp(`^${pattern}(/|$)`);
  return allPaths.some((one) => expression.test(one));
}

test("every path that a document names is there", () => {
  const missing = docs.flatMap(({ path, text }) =>
    [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)]
      .map(([, quoted = ""]) => quoted.replace(/:\d+$/, ""))
      .filter((quoted) => looksLikePath(quoted) && !exists(quoted, posix.dirname(path)))
      .map((quoted) => `${path} names ${quoted}`),
  );
  expect(missing).toEqual([]);
});

test("every link between documents leads somewhere", () => {
  const broken = docs.flatMap(({ path, text }) =>
    [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(path, target))
      .map((target) => `${path} links to ${target}`),
  );
  expect(broken).toEqual([]);
});

function leadsSomewhere(from: string, target: string): boolean {
  const [file = "", anchor] = target.split("#");
  const path = file === "" ? from : posix.join(posix.dirname(from), file);
  if (!existsSync(root + path)) return false;
  if (anchor === undefined) return true;
  const text = docs.find((one) => one.path === path)?.text ?? "";
  return [...withoutBlocks(text).matchAll(/^#+ +(.+)$/gm)].some(
    ([, heading = ""]) => slugOf(heading) === anchor,
  );
}

/** The anchor that the usual Markdown viewers give to a heading. */
function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-");
}

function withoutBlocks(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, "");
}
