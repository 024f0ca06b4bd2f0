import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createLandfall, devTokens, sqlite } from "@landfall/server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { doctor } from "./doctor.js";
import { describeInspection, inspect } from "./inspect.js";
import { dev, serve } from "./serve.js";
import { option } from "./settings.js";
import { serverOptions, testTerminal } from "./terminal.fixture.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "landfall-cli-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function post(url: string, path: string, body: unknown): Promise<Response> {
  const headers = { authorization: "Bearer dev:ann", "content-type": "application/json" };
  return fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
}

describe("landfall dev", () => {
  it("signs anyone in, says what to try, is seen by doctor and inspect while it runs, and stops cleanly", async () => {
    const { terminal, lines, url, stop } = testTerminal();
    const running = dev({ ...serverOptions, data: folder }, terminal);
    const address = await url;
    expect((await post(address, "/v1/spaces", { space: "site-7" })).status).toBe(201);

    const findings = await doctor({ url: address, token: "dev:ann", now: () => Date.now() });
    expect(findings.map(({ check, ok }) => `${check} ${ok}`)).toEqual([
      "reach true",
      "strangers true",
      "token true",
      "protocol true",
      "clock true",
      "socket true",
    ]);
    const storage = `sqlite:${folder}/landfall.db`;
    const found = await inspect({ storage });
    expect(found.spaces).toMatchObject([
      { space: "site-7", head: 0, members: [{ user: "ann", role: "owner" }] },
    ]);
    expect(describeInspection(found, Date.now())).toMatch(
      /^site-7 {2}head 0 .*\(created at 0 on 20.*No backup is known/s,
    );
    await expect(inspect({ storage, space: "other" })).rejects.toThrow("There is no space other");

    stop();
    await running;
    expect(lines.join("\n")).toContain("curl");
    expect(lines.at(-1)).toBe("Stopped.");
    await expect(fetch(`${address}/healthz`)).rejects.toThrow();
  });

  it("says who has the port, and what to do", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    const { terminal } = testTerminal();
    await expect(dev({ ...serverOptions, port, data: folder }, terminal)).rejects.toThrow(
      `Port ${port} is in use`,
    );
    taken.close();
  });
});

describe("landfall serve", () => {
  it("refuses to start where nobody could sign in, or anyone could", async () => {
    const { terminal } = testTerminal();
    const storage = `sqlite:${folder}/x.db`;
    await expect(serve({ ...serverOptions, storage }, terminal)).rejects.toThrow("Nobody could sign in");
    await expect(
      serve({ ...serverOptions, storage, jwks: "https://id.example/keys" }, terminal),
    ).rejects.toThrow("--issuer and --audience");
    const both = { jwtSecret: "s".repeat(32), jwks: "https://id.example/keys" };
    await expect(serve({ ...serverOptions, storage, ...both }, terminal)).rejects.toThrow("not both");
    await expect(serve({ ...serverOptions, storage: "mysql://x" }, terminal)).rejects.toThrow("is not known");
  });

  it("says what is wrong with a secret, an address of keys, or a host, as a failure of the command", async () => {
    const { terminal } = testTerminal();
    const storage = `sqlite:${folder}/x.db`;
    const named = { issuer: "https://id.example/", audience: "landfall" };
    const jwtSecret = "s".repeat(32);
    for (const [options, words] of [
      [{ jwtSecret: "short" }, "at least 32 bytes"],
      [{ jwks: "nonsense", ...named }, '"nonsense" is not an address'],
      [{ jwtSecret, host: "192.0.2.1" }, "Nothing can listen on 192.0.2.1"],
    ] as const)
      await expect(serve({ ...serverOptions, storage, ...options }, terminal)).rejects.toMatchObject({
        name: "CommandError",
        message: expect.stringContaining(words) as string,
      });
  });

  it("refuses development tokens, and doctor says so", async () => {
    const { terminal, url, stop } = testTerminal();
    const running = serve(
      { ...serverOptions, storage: `sqlite:${folder}/x.db`, jwtSecret: "s".repeat(32) },
      terminal,
    );
    const findings = await doctor({ url: await url, token: "dev:ann", now: () => Date.now() });
    expect(findings.at(-1)).toMatchObject({ check: "token", ok: false });
    stop();
    await running;
  });
});

describe("settings", () => {
  it("take days from one, and forever", () => {
    for (const name of ["keepDeletes", "keepOutcomes"] as const) {
      const { parseArg } = option(name);
      const parse = (text: string): unknown => parseArg?.(text, undefined);
      expect([parse("1"), parse("1.5"), parse("forever")]).toEqual([1, 1.5, Infinity]);
      for (const wrong of ["0", "-3", "soon", ""]) expect(() => parse(wrong)).toThrow("days from 1");
    }
  });
});

describe("landfall doctor", () => {
  it("says what is wrong with an address", async () => {
    for (const url of ["nonsense", "localhost:4400", "ftp://localhost"])
      await expect(doctor({ url, token: "x", now: () => 0 })).rejects.toThrow("is not an address");
    const findings = await doctor({ url: "http://127.0.0.1:9", token: "x", now: () => 0 });
    expect(findings).toMatchObject([{ check: "reach", ok: false }]);
  });

  it("looks at a server that is mounted in an app, which passes on nothing but /v1", async () => {
    const landfall = createLandfall({ storage: sqlite(":memory:"), auth: devTokens(), development: true });
    const app = createHttpServer((request, response) => {
      if (request.url?.startsWith("/v1/")) landfall.nodeHandler(request, response);
      else response.writeHead(404).end("my app");
    });
    landfall.attachSockets(app);
    app.listen(0, "127.0.0.1");
    await once(app, "listening");
    const url = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
    const asked = { token: "dev:ann", now: () => Date.now() };
    expect((await doctor({ url, ...asked })).filter(({ ok }) => !ok)).toEqual([]);
    const [reach] = await doctor({ url: `${url}/v1`, ...asked });
    expect(reach).toMatchObject({ check: "reach", ok: false });
    expect(reach?.advice).toContain("without /v1");
    await landfall.close();
    app.close();
  });
});
