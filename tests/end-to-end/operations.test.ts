import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { makeStamp } from "@landfall/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";

// Whoever looks after a server has its commands and nothing else: here they run as they are built, each a
// process of its own, beside a server that is written to.

const command = fileURLToPath(new URL("../../packages/cli/bin/landfall.js", import.meta.url));

let folder = "";
let data = "";
let server: ChildProcess | undefined;
let url = "";
let seq = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "landfall-operations-"));
  data = join(folder, "landfall.db");
  seq = 0;
});
afterEach(async () => {
  await stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly said: string;
}

/** Runs a command to its end. @param during is called once, when something comes on standard error. */
async function run(
  args: readonly string[],
  environment: object = {},
  during?: (child: ChildProcess) => void,
): Promise<Ended> {
  const child = spawn(process.execPath, [command, ...args], { env: { ...process.env, ...environment } });
  let [out, said] = ["", ""];
  let isTold = false;
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => {
    said += String(chunk);
    // A second one would not be waited for.
    if (!isTold) during?.(child);
    isTold = true;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, said };
}

async function start(): Promise<void> {
  const child = spawn(process.execPath, [command, "dev", "--port", "0", "--data", folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  server = child;
  for await (const line of createInterface({ input: child.stdout })) {
    const found = /http:\/\/[\d.]+:\d+/.exec(line)?.[0];
    if (found !== undefined) return void (url = found);
  }
  throw new Error(`landfall dev ended with code ${child.exitCode} before it said where it listens.`);
}

async function stop(signal: NodeJS.Signals): Promise<void> {
  const child = server;
  server = undefined;
  if (!child || child.exitCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

const headers = { authorization: "Bearer dev:ann", "content-type": "application/json" };
const post = (path: string, body: unknown): Promise<Response> =>
  fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });

/** Writes so many records, and waits until the server has acknowledged them. */
async function write(count: number, generation?: string): Promise<{ head: number }> {
  const events = Array.from({ length: count }, () => {
    seq += 1;
    const id = makeStamp(Date.now() - 60_000 + seq, 0, "8000-000000000001");
    return {
      id,
      seq,
      ops: [
        {
          op: "create",
          domain: "project",
          key: `p${seq}`,
          set: { name: `Project ${seq}`, note: "n".repeat(100) },
        },
      ],
    };
  });
  const spaces = [
    { space: "site-7", cursors: {}, events, ...(generation === undefined ? {} : { generation }) },
  ];
  const answer = await post("/v1/exchange", { protocol: 1, device: "operator", spaces });
  const {
    spaces: [site],
  } = (await answer.json()) as { spaces: [{ head: number; outcomes: { status: string }[] }] };
  expect(site.outcomes.every(({ status }) => status === "applied")).toBe(true);
  return site;
}

test("a day of an operator: back up while people write, lose the server, restore, verify, look at it", async () => {
  await start();
  await post("/v1/spaces", { space: "site-7" });
  await write(200);
  const over = new AbortController();
  const writing = (async () => {
    while (!over.signal.aborted) await write(20);
  })();
  const copy = join(folder, "backup", "landfall.db");
  const backedUp = await run(["backup", "--storage", `sqlite:${data}`, "--to", copy, "--json"]);
  const beside = await run(["verify", "--storage", `sqlite:${data}`]);
  over.abort();
  await writing;
  expect(backedUp).toMatchObject({ code: 0, said: expect.stringContaining("Copying") as string });
  expect(beside).toMatchObject({ code: 0, out: expect.stringContaining("Sound: 1 space(s)") as string });
  const { spaces } = JSON.parse(backedUp.out) as { spaces: [{ head: number }] };
  expect(spaces[0].head).toBeGreaterThanOrEqual(200);
  const { head } = await write(1);
  expect(head).toBeGreaterThan(spaces[0].head);

  const refused = await run(["restore", "--from", copy, "--storage", `sqlite:${data}`, "--force"]);
  expect(refused).toMatchObject({
    code: 1,
    said: expect.stringContaining("in use by another server") as string,
  });
  await stop("SIGKILL");
  const unasked = await run(["restore", "--from", copy, "--storage", `sqlite:${data}`]);
  expect(unasked).toMatchObject({ code: 1, said: expect.stringContaining("already") as string });
  const restored = await run(["restore", "--from", copy], {
    LANDFALL_STORAGE: `sqlite:${data}`,
    LANDFALL_FORCE: "1",
  });
  expect(restored.said).not.toContain("landfall:");
  expect(restored.out).toContain(`site-7  from index ${spaces[0].head}`);
  expect(restored.code).toBe(0);
  const replaced = readdirSync(folder).find((name) => /replaced-\d+$/.test(name));
  expect(await run(["verify", "--storage", `sqlite:${join(folder, replaced as string)}`])).toMatchObject({
    code: 0,
  });

  await start();
  const rows = await fetch(`${url}/v1/spaces/site-7/rows?domain=project&limit=1`, { headers });
  expect(await rows.json()).toMatchObject({ head: spaces[0].head });
  const looked = await run(["inspect", "--storage", `sqlite:${data}`]);
  expect(looked.out).toContain(`(restored at ${spaces[0].head} on `);
  const doctor = await run(["doctor", "--url", url, "--token", "dev:ann", "--storage", `sqlite:${data}`]);
  expect(doctor.out).toMatch(/ok {4}data .*1 of them restored.*\nok {4}backup/);
  expect(doctor.code).toBe(0);
});

test("a damaged file is found, said by name, and not restored", async () => {
  await start();
  await post("/v1/spaces", { space: "site-7" });
  await write(50);
  await stop("SIGINT");
  const copy = join(folder, "copy.db");
  await run(["backup", "--storage", `sqlite:${data}`, "--to", copy]);
  const bytes = readFileSync(copy);
  const at = bytes.lastIndexOf('"Project 33"');
  bytes[at + 1] = (bytes[at + 1] as number) ^ 1;
  writeFileSync(copy, bytes);
  const found = await run(["verify", "--storage", `sqlite:${copy}`, "--json"]);
  expect(found.code).toBe(1);
  expect(JSON.parse(found.out)).toMatchObject({ ok: false, counts: { digest: 1 } });
  const refused = await run(["restore", "--from", copy, "--storage", `sqlite:${join(folder, "new.db")}`]);
  expect(refused).toMatchObject({ code: 1, said: expect.stringContaining("is damaged") as string });
  expect(existsSync(join(folder, "new.db"))).toBe(false);
});

test("data moves to another server, and Ctrl-C in the middle costs nothing", async () => {
  await start();
  await post("/v1/spaces", { space: "site-7" });
  for (let round = 0; round < 40; round++) await write(500);
  await stop("SIGINT");
  const [from, other, lines] = [`sqlite:${data}`, join(folder, "other.db"), join(folder, "all.ndjson")];
  const exported = await run(["export", "--storage", from, "--to", lines]);
  expect(exported).toMatchObject({ code: 0, out: expect.stringContaining("20000 row(s)") as string });
  const args = ["import", "--from", lines, "--storage", `sqlite:${other}`];
  // The first report of progress comes after a second, or the import is through by then.
  const broken = await run(args, {}, (child) => child.kill("SIGINT"));
  expect([0, 130]).toContain(broken.code);
  if (broken.code === 130) expect(broken.said).toContain("the same command goes on from there");
  expect((await run(args)).code).toBe(0);
  expect((await run(args)).out).toContain("0 of 20000 row(s) written");
  const sums = async (file: string) =>
    JSON.parse((await run(["verify", "--storage", `sqlite:${file}`, "--json"])).out) as {
      ok: boolean;
      records: number;
    };
  expect(await sums(other)).toMatchObject({ ok: true, records: 20_000 });
});

test.each([
  "dev",
  "serve",
  "inspect",
  "doctor",
  "conformance",
  "backup",
  "restore",
  "verify",
  "export",
  "import",
])("landfall %s --help says what it does, with examples and the variable of every flag", async (name) => {
  const { code, out } = await run([name, "--help"]);
  expect(code).toBe(0);
  expect(out).toContain("Examples:");
  const flags = [...out.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, flag]) => flag);
  for (const flag of flags)
    expect(out).toContain(`LANDFALL_${flag?.slice(2).replaceAll("-", "_").toUpperCase()}`);
});

test.each([
  "backup --to x",
  "restore --from x",
  "verify",
  "export --to x",
  "import --from x",
  "serve --jwt-secret x",
])("landfall %s refuses a storage that is not built yet by its name, and one that is none", async (words) => {
  const refused = await run([...words.split(" "), "--storage", "postgres://localhost/x"]);
  expect(refused).toMatchObject({ code: 1, said: expect.stringContaining("PostgreSQL storage") as string });
  const unknown = await run([...words.split(" "), "--storage", "mysql://localhost/x"]);
  expect(unknown.said).toContain("Give sqlite:FILE");
});

test.each([
  [["dev", "--prot", "1"], /^error: unknown option '--prot'\n\(Did you mean --port\?\)\n/],
  [["backup"], /^error: required option '--storage <address>' not specified\n/],
])(
  "a command that is given wrongly says what is wrong, and not all that it can do: %s",
  async (args, words) => {
    const { code, out, said } = await run(args);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(said).toMatch(words);
    expect(said.trimEnd().split("\n").length).toBeLessThan(6);
    expect(said).toContain("--help");
  },
);

test.each([
  "backup --storage sqlite:x.db --to sqlite:copy/x.db",
  "export --storage sqlite:x.db --to sqlite:copy/x.db",
  "restore --storage sqlite:x.db --from sqlite:copy/x.db",
  "import --storage sqlite:x.db --from sqlite:copy/x.db",
])("landfall %s: the second file has no sqlite: before it, and none of that name is made", async (words) => {
  const { code, said } = await run(words.split(" "));
  expect({ code, said }).toEqual({ code: 1, said: expect.stringContaining("Give copy/x.db.") as string });
});

test("landfall restore says of an export that it is none of its files, and what reads it", async () => {
  const from = join(folder, "all.ndjson");
  writeFileSync(from, '{"landfall":"export"}\n'.repeat(200));
  const { code, said } = await run([
    "restore",
    "--from",
    from,
    "--storage",
    `sqlite:${join(folder, "new.db")}`,
  ]);
  expect(code).toBe(1);
  expect(said).toContain("is no data file of a server. What landfall export wrote, landfall import reads.");
});

test("landfall --version says which it is", async () => {
  const { code, out } = await run(["--version"]);
  expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
});
