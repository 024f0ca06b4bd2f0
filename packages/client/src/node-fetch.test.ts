import { once } from "node:events";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { createNodeFetch } from "./node-fetch.js";

const nodeFetch = createNodeFetch();
import type { NetAnswer } from "./ports.js";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A server on loopback that answers so; `sockets` counts the connections that it got. */
async function serving(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<{ readonly url: string; readonly sockets: () => number }> {
  let sockets = 0;
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => answer(request, response, body));
  });
  server.on("connection", () => (sockets += 1));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/x`, sockets: () => sockets };
}

async function whole(answer: NetAnswer): Promise<string> {
  const reader = answer.body?.getReader();
  let text = "";
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) return text;
    text += new TextDecoder().decode(value);
  }
}

describe("Node's HTTP client as a client's network", () => {
  it("sends method, headers and text, and gives status, headers and body", async () => {
    const { url } = await serving(({ method, headers, url: path }, response, body) => {
      response.writeHead(409, { "Retry-After": "7" });
      response.end(JSON.stringify([method, path, headers["authorization"], headers["content-length"], body]));
    });
    const answer = await nodeFetch(url, {
      method: "POST",
      headers: { authorization: "Bearer a" },
      body: "é",
    });
    expect([answer.ok, answer.status]).toEqual([false, 409]);
    expect(answer.headers.get("retry-after")).toBe("7");
    expect(answer.headers.get("Retry-After")).toBe("7");
    expect(answer.headers.get("landfall-backoff")).toBeNull();
    expect(JSON.parse(await whole(answer))).toEqual(["POST", "/v1/x", "Bearer a", "2", "é"]);
    const plain = await nodeFetch(url, {});
    expect(JSON.parse(await whole(plain))).toEqual(["GET", "/v1/x", null, null, ""]);
  });

  it("gives what has come before the rest is there", async () => {
    let more = (): void => undefined;
    const { url } = await serving((_request, response) => {
      response.write("first");
      more = () => response.end("last");
    });
    const answer = await nodeFetch(url, {});
    const reader = answer.body?.getReader();
    const first = await reader?.read();
    expect(new TextDecoder().decode(first?.value)).toBe("first");
    more();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("last");
    expect(await reader?.read()).toEqual({ done: true, value: undefined });
  });

  it("a proxy may compress; what it damaged or cut off is an error", async () => {
    const text = "row\n".repeat(50_000);
    const zipped = gzipSync(text);
    const { url } = await serving(({ url: path, headers }, response) => {
      response.writeHead(200, { "content-encoding": String(headers["accept-encoding"]) });
      response.end(path === "/v1/x" ? zipped : path === "/v1/xcut" ? zipped.subarray(0, -20) : text);
    });
    expect(await whole(await nodeFetch(url, {}))).toBe(text);
    expect(await (await nodeFetch(url, {})).text()).toBe(text);
    await expect(whole(await nodeFetch(`${url}cut`, {}))).rejects.toThrow("unexpected end");
    await expect(whole(await nodeFetch(`${url}damaged`, {}))).rejects.toThrow("incorrect header");
  });

  it("follows no redirect", async () => {
    const { url } = await serving((_request, response) => {
      response.writeHead(302, { location: "http://127.0.0.1:1/" }).end();
    });
    expect(await nodeFetch(url, {})).toMatchObject({ ok: false, status: 302 });
  });

  it("what cannot be reached, or breaks off, is an error for whoever waits and for nobody else", async () => {
    await expect(nodeFetch("http://127.0.0.1:1/", {})).rejects.toThrow("ECONNREFUSED");
    await expect(nodeFetch("not an address", {})).rejects.toThrow("Invalid URL");
    const { url } = await serving((_request, response) => {
      response.write("first");
      setTimeout(() => response.destroy(), 5);
    });
    await expect(nodeFetch(url.replace("http:", "https:"), {})).rejects.toThrow();
    const answer = await nodeFetch(url, {});
    await expect(whole(answer)).rejects.toThrow("aborted");
    await nodeFetch(url, {});
    await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it("stops when it is told to: before, while it waits, and in the middle of the answer", async () => {
    const { url } = await serving(({ url: path }, response) => {
      if (path !== "/v1/xsilent") response.write("first");
    });
    const early = AbortSignal.abort();
    await expect(nodeFetch(url, { signal: early })).rejects.toThrow(/abort/i);
    const waiting = new AbortController();
    const silent = nodeFetch(`${url}silent`, { signal: waiting.signal });
    setTimeout(() => waiting.abort(), 10);
    await expect(silent).rejects.toThrow(/abort/i);
    const reading = new AbortController();
    const answer = await nodeFetch(url, { signal: reading.signal });
    setTimeout(() => reading.abort(), 10);
    await expect(whole(answer)).rejects.toThrow(/abort/i);
  });

  it("a connection serves one call after another, though each is given up when it has been read", async () => {
    const { url, sockets } = await serving((_request, response) => response.end("all"));
    for (let i = 0; i < 3; i++) {
      const call = new AbortController();
      expect(await whole(await nodeFetch(url, { signal: call.signal }))).toBe("all");
      call.abort();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sockets()).toBe(1);
  });

  it("takes a new connection where the server has closed the one that was kept", async () => {
    const seen: string[] = [];
    let kept: unknown;
    const { url, sockets } = await serving((request, response, body) => {
      seen.push(body);
      if (request.socket === kept) return void request.socket.destroy();
      kept = request.socket;
      response.end("all");
    });
    for (const body of ["one", "two"]) {
      expect(await whole(await nodeFetch(url, { method: "POST", body }))).toBe("all");
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect([seen, sockets()]).toEqual([["one", "two", "two"], 2]);
    const broken = await serving(({ socket }) => void socket.destroy());
    await expect(nodeFetch(broken.url, {})).rejects.toThrow("hang up");
    expect(broken.sockets()).toBe(1);
  });

  it("begins a request when the one before it has left, and no later because that breaks off", async () => {
    const begun: string[] = [];
    const beside: string[] = [];
    const server = createServer((request, response) => {
      begun.push(String(request.url));
      request.on("end", () => response.end());
      if (request.url !== "/first") return void request.resume();
      // It is more than a connection holds that nobody reads: until somebody does, not all of it has left.
      setTimeout(() => {
        beside.push(...begun);
        request.resume();
      }, 100);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ends.push(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    const post = (path: string, length: number, signal?: AbortSignal): Promise<NetAnswer> =>
      nodeFetch(`http://127.0.0.1:${port}${path}`, {
        method: "POST",
        body: "x".repeat(length),
        ...(signal ? { signal } : {}),
      });
    const first = post("/first", 32_000_000);
    const gone = new AbortController();
    const second = post("/second", 10, gone.signal);
    const third = post("/third", 10);
    gone.abort(new Error("given up"));
    await expect(second).rejects.toThrow("given up");
    await Promise.all([first, third]);
    expect([beside, begun]).toEqual([["/first"], ["/first", "/third"]]);
    const broken = new AbortController();
    const fourth = post("/first", 32_000_000, broken.signal);
    const fifth = post("/fifth", 10);
    broken.abort(new Error("broken off"));
    await expect(fourth).rejects.toThrow("broken off");
    expect((await fifth).status).toBe(200);
  });
});
