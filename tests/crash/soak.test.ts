import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const script = fileURLToPath(new URL("../../scripts/soak.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "landfall-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function soak(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });
  return { status, said: stdout + stderr };
}

it("the long run writes down what it did, goes on where it was, and fails as long as a failure stands", () => {
  const json = join(folder, "soak.json");
  const options = ["--kills", "1", "--json", json];
  const first = soak(...options);
  expect(first.said).toContain("kills: 1 of 1, 0 failed");
  expect(first.status).toBe(0);
  const state = JSON.parse(readFileSync(json, "utf8")) as { kills: Record<string, unknown> };
  expect(state.kills).toMatchObject({ asked: "1", done: 1, count: 1, failures: [] });
  const [range] = state.kills["ranges"] as { commit: string; from: number; to: number }[];
  expect([range?.from, range?.to, range?.commit !== ""]).toEqual([1, 1, true]);

  const again = soak(...options);
  expect([again.status, again.said.includes("goes on after 1 of 1")]).toEqual([0, true]);

  const failure = { piece: "kills 1..1", problems: ["a note is lost"] };
  writeFileSync(json, JSON.stringify({ kills: { ...state.kills, failures: [failure] } }));
  const failed = soak(...options);
  expect([failed.status, failed.said.includes("a note is lost")]).toEqual([1, true]);
  const anew = soak(...options, "--fresh");
  expect([anew.status, anew.said.includes("goes on")]).toEqual([0, false]);
});

it("the long run explains itself, and says what it does not understand", () => {
  const { status, said } = soak("--help");
  expect([status, said.includes("npm run soak -- --kills 200")]).toEqual([0, true]);
  expect(soak("--kills", "many").said).toContain('--kills takes a whole number, not "many"');
  expect(soak("--seeds", "5..1").said).toContain('--seeds takes a range like 1..100000, not "5..1"');
});
