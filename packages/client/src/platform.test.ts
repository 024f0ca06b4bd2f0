import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, transform } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import { platformPorts } from "./platform.js";

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** Bundles the platform's ports as an app would, by the conditions of this package's package.json. */
async function bundled(platform: "browser" | "node"): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "landfall-bundle-"));
  folders.push(folder);
  const { imports } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as {
    imports: object;
  };
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module", imports }));
  await mkdir(join(folder, "dist"));
  for (const name of ["platform", "node-net", "node-fetch", "browser-net"]) {
    const { code } = await transform(await readFile(new URL(`./${name}.ts`, import.meta.url), "utf8"), {
      loader: "ts",
    });
    await writeFile(join(folder, "dist", `${name}.js`), code);
  }
  const { outputFiles } = await build({
    entryPoints: [join(folder, "dist/platform.js")],
    bundle: true,
    write: false,
    format: "esm",
    platform,
    external: ["ws"],
  });
  return outputFiles[0]?.text as string;
}

describe("the platform's ports", () => {
  test("timers cancel, and a wait that is longer than the platform can is not none", async () => {
    const { timers } = platformPorts();
    const log: string[] = [];
    const cancel = timers.after(5, () => log.push("cancelled"));
    cancel();
    const cancelLong = timers.after(2 ** 40, () => log.push("month"));
    timers.after(10, () => log.push("ten"));
    await new Promise((resolve) => timers.after(30, () => resolve(undefined)));
    expect(log).toEqual(["ten"]);
    cancelLong();
  });

  test("clocks, randomness and hints", () => {
    const { clock, uptime, random, online } = platformPorts();
    expect(clock.now()).toBeGreaterThan(1_700_000_000_000);
    expect(uptime.now()).toBeGreaterThanOrEqual(0);
    expect(random.bytes(16)).not.toEqual(random.bytes(16));
    expect(online.isOnline()).toBe(true);
    online.subscribe(() => undefined)();
  });

  test("ws is for Node only: no bundle for browsers holds it", async () => {
    expect(await bundled("node")).toMatch(/from "ws"/);
    const browser = await bundled("browser");
    expect(browser).not.toMatch(/"ws"/);
    expect(browser).toContain("new WebSocket(");
  });

  test("channels of one name reach each other, in Node too", async () => {
    const { channel } = platformPorts();
    const heard = new Promise((resolve) => {
      const end = channel?.("landfall-test", (message) => {
        end?.close();
        resolve(message);
      });
    });
    const sender = channel?.("landfall-test", () => undefined);
    sender?.post({ type: "hello" });
    expect(await heard).toEqual({ type: "hello" });
    sender?.close();
  });
});
