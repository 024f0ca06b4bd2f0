import { mkdtemp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { staticFiles } from "./static-files.js";

let folder = "";
let serve: (request: Request) => Promise<Response>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "landfall-static-"));
  const root = join(folder, "dist");
  await mkdir(join(root, "assets"), { recursive: true });
  await mkdir(join(root, "guide"));
  await mkdir(join(root, ".git"));
  await writeFile(join(folder, "secret.txt"), "outside");
  await writeFile(join(root, "index.html"), "<title>app</title>");
  await writeFile(join(root, "guide", "index.html"), "<title>guide</title>");
  await writeFile(join(root, "assets", "app-4f3a2b1c.js"), "run()");
  await writeFile(join(root, "sw.js"), "worker()");
  await writeFile(join(root, "ümlaut.txt"), "ü");
  await writeFile(join(root, ".env"), "KEY=1");
  await writeFile(join(root, ".git", "config"), "hidden");
  await symlink(join(folder, "secret.txt"), join(root, "link.txt"));
  serve = staticFiles(root);
});
afterAll(() => rm(folder, { recursive: true }));

const get = (path: string, init?: RequestInit) => serve(new Request(`http://localhost${path}`, init));

test("files come with their type, and are asked for again unless their name has a hash", async () => {
  const script = await get("/assets/app-4f3a2b1c.js");
  expect([script.status, await script.text()]).toEqual([200, "run()"]);
  expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  expect(script.headers.get("cache-control")).toContain("immutable");
  expect(script.headers.get("x-content-type-options")).toBe("nosniff");
  const worker = await get("/sw.js");
  expect(worker.headers.get("cache-control")).toBe("no-cache");
  expect(await (await get("/%C3%BCmlaut.txt")).text()).toBe("ü");
  expect(await (await get("/guide")).text()).toContain("guide");
  expect(await (await get("/guide/")).text()).toContain("guide");
});

test("a page of the app's own making gets index.html; a missing file does not", async () => {
  for (const path of ["/", "/projects/p1", "/index.html"])
    expect(await (await get(path)).text()).toContain("app");
  expect((await get("/missing.js")).status).toBe(404);
});

test("If-None-Match with the file's tag is answered 304, HEAD without a body, the rest 405", async () => {
  const etag = (await get("/sw.js")).headers.get("etag") as string;
  expect((await get("/sw.js", { headers: { "if-none-match": `"x", W/${etag}` } })).status).toBe(304);
  expect((await get("/sw.js", { headers: { "if-none-match": '"x"' } })).status).toBe(200);
  const head = await get("/sw.js", { method: "HEAD" });
  expect([await head.text(), head.headers.get("content-length")]).toEqual(["", "8"]);
  const post = await get("/sw.js", { method: "POST" });
  expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
});

test.each([
  "/..%2fsecret.txt",
  "/%2e%2e/secret.txt",
  "/%2e%2e%2fsecret.txt",
  "/assets/..%2f..%2fsecret.txt",
  "/..\\secret.txt",
  "/..%5csecret.txt",
  "/%00",
  "/sw.js%00.html",
  "/link.txt",
  "/.env",
  "/.git/config",
  "/assets/%2e%2e/.env",
  "/%ff",
])("nothing outside the folder, and nothing hidden, is served: %s", async (path) => {
  const text = await (await get(path)).text();
  expect(text).not.toMatch(/outside|KEY|hidden/);
});
