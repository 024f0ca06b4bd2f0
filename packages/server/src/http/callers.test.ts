import { type Stamp } from "@landfall/protocol";
import { expect, it } from "vitest";
import { devTokens } from "../auth/dev-tokens.js";
import { createServer } from "../create-server.js";
import type { ServerOptions } from "../server-options.js";
import { sqlite } from "../storage/sqlite.js";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

function open(options: Partial<ServerOptions> = {}) {
  const server = createServer({
    storage: sqlite(":memory:"),
    auth: devTokens(),
    development: true,
    logger: silent,
    ...options,
  });
  const ask = async (user: string, method: string, path: string, body?: unknown) => {
    const headers = { authorization: `Bearer dev:${user}`, "content-type": "application/json" };
    const answer = await server.handler(
      new Request(`http://landfall.test${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
    return { status: answer.status, text: await answer.text() };
  };
  return { server, ask };
}

it("rule 3: an event that says it was another user's learns nothing of that one's outcome", async () => {
  const { server, ask } = open({ actions: { whisper: async () => "for ann only" } });
  await ask("ann", "POST", "/v1/spaces", { space: "s" });
  await ask("ann", "PUT", "/v1/spaces/s/members/bob", { role: "reader" });
  const id = "01a1fc15-fa63-7000-bf49-fa2e95d831ef" as Stamp;
  const send = (user: string, device: string, was?: { device: string; seq: number }) =>
    ask(user, "POST", "/v1/exchange", {
      protocol: 1,
      device,
      spaces: [{ space: "s", cursors: {}, events: [{ id, seq: 1, action: "whisper", args: null, was }] }],
    });
  expect((await send("ann", "device-a")).text).toContain("for ann only");
  const { text } = await send("bob", "device-b", { device: "device-a", seq: 1 });
  expect(text).toContain("id_conflict");
  expect(text).not.toContain("for ann only");
  await server.close();
});

it("DESIGN §13: a request that names a space twice is refused, or a small one could ask for any amount of rows", async () => {
  const { server, ask } = open();
  await ask("ann", "POST", "/v1/spaces", { space: "s" });
  const spaces = [
    { space: "s", cursors: { note: 0 } },
    { space: "s", cursors: { note: 0 } },
  ];
  const refused = await ask("ann", "POST", "/v1/exchange", { protocol: 1, device: "d", spaces });
  expect([refused.status, refused.text]).toEqual([400, expect.stringContaining("named twice")]);
  await server.close();
});

it("DESIGN §13: an authenticator that gives null refuses the token", async () => {
  const { server, ask } = open({ auth: (() => null) as unknown as ServerOptions["auth"] });
  expect((await ask("ann", "GET", "/v1/info")).status).toBe(401);
  await server.close();
});

it("DESIGN §13: a fallback that throws is answered with 500; the handler never rejects", async () => {
  const { server, ask } = open({
    fallback() {
      throw new Error("The app's fault.");
    },
  });
  expect((await ask("ann", "GET", "/page")).status).toBe(500);
  await server.close();
});
