import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import { checks } from "./conformance/run.js";
import { conformance, describeReport } from "./conformance.js";
import { dev, serve } from "./serve.js";
import { serverOptions, testTerminal } from "./terminal.fixture.js";
import { signToken } from "./sign-token.fixture.js";

/** What comes from a sound server on the same machine ends the waiting, so that this may be long. */
const patience = { newsMs: 30_000, headsMs: 30_000, quietMs: 300 };
const owner = "dev:kit-ann";
const other = "dev:kit-bob";

describe("the kit on our own servers", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "landfall-kit-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("landfall dev does all that the protocol says, and nothing is left behind", async () => {
    const { terminal, url, stop } = testTerminal();
    const running = dev(
      {
        ...serverOptions,
        data: folder,
      },
      terminal,
    );
    const report = await conformance({ url: await url, token: owner, secondToken: other, patience });
    expect(report.results.filter(({ result }) => result !== "pass")).toEqual([]);
    expect(report).toMatchObject({ passed: checks.length, failed: 0, skipped: 0, leftBehind: 0 });
    expect(describeReport(report)).toContain(`${checks.length} passed, 0 failed, 0 skipped`);
    stop();
    await running;
  });

  it("landfall serve does too, and so does a server with one person's token as far as it can be asked", async () => {
    const secret = "a secret of at least thirty-two bytes";
    const { terminal, url, stop } = testTerminal();
    const running = serve(
      {
        ...serverOptions,
        storage: `sqlite:${folder}/data.db`,
        jwtSecret: secret,
      },
      terminal,
    );
    const [ann, bob] = [signToken(secret, "ann"), signToken(secret, "bob")];
    const report = await conformance({ url: await url, token: ann, secondToken: bob, patience });
    expect(report.results.filter(({ result }) => result !== "pass")).toEqual([]);
    const alone = await conformance({ url: await url, token: ann, only: "members,stranger" });
    expect(alone.failed).toBe(0);
    expect(alone.results.filter(({ result }) => result === "skip").map(({ check }) => check)).toContain(
      "stranger/indistinguishable",
    );
    stop();
    await running;
  });

  it("says what keeps it from beginning", async () => {
    await expect(conformance({ url: "nonsense", token: "x" })).rejects.toThrow("is not an address");
    await expect(conformance({ url: "http://127.0.0.1:9", token: "x" })).rejects.toThrow("cannot begin");
    await expect(conformance({ url: "http://127.0.0.1:9", token: "x", only: "no" })).rejects.toThrow(
      "Groups are",
    );
  });
});

test("the kit knows the protocol's shapes, and nothing else of ours", () => {
  const folder = new URL("./conformance/", import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !name.endsWith(".fixture.ts"),
  );
  const foreign = files.flatMap((name) =>
    [...readFileSync(new URL(name, folder), "utf8").matchAll(/from "([^"]+)"/g)]
      .map(([, module = ""]) => module)
      .filter((module) => !/^\.{1,2}\/(checks\/)?[a-z-]+\.js$/.test(module) || module.startsWith("../../"))
      .filter((module) => !["ws", "node:crypto", "@landfall/protocol"].includes(module))
      .map((module) => `${name} imports ${module}`),
  );
  expect(foreign).toEqual([]);
  // What the protocol computes, the kit computes by itself.
  const computing =
    /\b(mergeRecord|rowElement|elementHash|DigestSum|canonicalJson|effectiveStamp|HybridClock|makeStamp)\b/;
  expect(files.filter((name) => computing.test(readFileSync(new URL(name, folder), "utf8")))).toEqual([]);
});
