import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createClient } from "@landfall/client";
import { sqliteStorage } from "@landfall/client/storage/sqlite";
import { counter, defineSchema, records } from "@landfall/schema";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";

// The one trip that every version of Node makes: the built command line as a process of its own, real
// sockets, and clients with their data in files.

const command = fileURLToPath(new URL("../../packages/cli/bin/landfall.js", import.meta.url));

const schema = defineSchema({
  version: 1,
  domains: {
    project: records({
      fields: z.object({ name: z.string(), note: z.string().optional(), visits: z.number() }),
      merge: { visits: counter() },
    }),
  },
});

let folder: string;
let server: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "landfall-smoke-"));
});

afterEach(async () => {
  if (server !== undefined) await stop("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** Starts `landfall dev` on the data of this test; resolves with its address. */
async function start(port: string): Promise<URL> {
  const child = spawn(process.execPath, [command, "dev", "--port", port, "--data", join(folder, "server")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  server = child;
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url !== undefined) return new URL(url);
  }
  throw new Error(`landfall dev ended with code ${child.exitCode} before it said where it listens.`);
}

async function stop(signal: NodeJS.Signals): Promise<number | null> {
  const child = server as ChildProcess;
  server = undefined;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
  return child.exitCode;
}

function device(url: URL, file: string) {
  return createClient({
    schema,
    url: url.origin,
    credentials: () => "dev:ann",
    storage: sqliteStorage(join(folder, file)),
    // A server that is killed is what this test is about, so the client's warnings of it say nothing new.
    onReport: () => {},
  });
}

test("rules 2 and 3: two devices agree, through a killed server and a restarted client", async () => {
  const url = await start("0");
  const tablet = device(url, "tablet.db");
  const here = await tablet.space("site-7", { create: true }).open();
  const bridge = here.project.create({ name: "Bridge 7", visits: 1 });
  expect(here.project.get(bridge.key)).toMatchObject({ name: "Bridge 7", visits: 1 });
  expect(await bridge.settled).toMatchObject({ status: "applied", index: 1 });

  let phone = device(url, "phone.db");
  let there = await phone.space("site-7").open();
  await phone.sync();
  expect(there.project.get(bridge.key)).toMatchObject({ name: "Bridge 7", visits: 1 });

  await stop("SIGKILL");
  const writes = [
    here.project.update(bridge.key, { note: "closed" }),
    here.project.increment(bridge.key, { visits: 2 }),
    there.project.increment(bridge.key, { visits: 4 }),
    there.project.create({ name: "Quay 2", visits: 0 }, { key: "quay" }),
  ];
  await Promise.all(writes.map(({ saved }) => saved));
  expect(here.project.get("quay")).toBeUndefined();
  await phone.close();
  phone = device(url, "phone.db");
  there = await phone.space("site-7").open();
  expect(there.project.get(bridge.key)).toMatchObject({ visits: 5 });
  expect(there.project.get("quay")).toMatchObject({ name: "Quay 2", $: { pending: true } });

  await start(url.port);
  await tablet.sync();
  await phone.sync();
  await tablet.sync();
  const all = there.project.all();
  expect(here.project.all()).toEqual(all);
  expect(all).toHaveLength(2);
  expect(there.project.get(bridge.key)).toMatchObject({
    name: "Bridge 7",
    note: "closed",
    visits: 7,
    $: { pending: false },
  });

  await Promise.all([tablet.close(), phone.close()]);
  expect(await stop("SIGTERM")).toBe(0);
});
