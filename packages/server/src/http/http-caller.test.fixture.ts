import { codes, decode, problemDecoder, randomUuid } from "@landfall/protocol";
import { defineSchema, records } from "@landfall/schema";
import { afterAll, beforeAll, expect } from "vitest";
import { z } from "zod";
import { systemRandom } from "../platform.js";
import { type TestServer, startTestServer } from "../testing.js";

const schema = defineSchema({
  version: 1,
  domains: {
    project: records({ fields: z.object({ name: z.string().max(100_000), n: z.number().optional() }) }),
  },
});

export let server: TestServer<unknown>;

/** Starts the server that is called for the tests of a file, which call this first: files share this module. */
export function useServer(): void {
  beforeAll(async () => {
    server = await startTestServer({ schema });
  });
  afterAll(() => server.close());
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

export async function ask(
  path: string,
  init: Omit<RequestInit, "headers"> & {
    user?: string;
    json?: unknown;
    headers?: Record<string, string>;
  } = {},
): Promise<Answer> {
  const { user = "ann", json, headers, ...rest } = init;
  const sent = {
    ...(user === "" ? {} : { authorization: `Bearer dev:${user}` }),
    ...(json === undefined ? {} : { "content-type": "application/json" }),
  };
  const response = await fetch(server.url + path, {
    ...rest,
    headers: { ...sent, ...headers },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = {};
  }
  return { status: response.status, headers: response.headers, text, body: body as Record<string, unknown> };
}

export const post = (json: unknown, user = "ann", headers: Record<string, string> = {}) =>
  ask("/v1/exchange", { method: "POST", json, user, headers });

let stamps = 0;
/** A stamp after all others, and before the server's time however many there are, so that it is never clamped. */
export const stamp = () => {
  const ms = (Date.now() - 60_000 + stamps++).toString(16).padStart(12, "0");
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7000-8${randomUuid(systemRandom).slice(20)}`;
};

export async function newSpace(user = "ann"): Promise<string> {
  const { status, body } = await ask("/v1/spaces", { method: "POST", json: {}, user });
  expect(status).toBe(201);
  return body["space"] as string;
}

export const exchange = (space: string, part: object, more: object = {}) => ({
  protocol: 1,
  device: "d1",
  ...more,
  spaces: [{ space, cursors: { project: 0 }, ...part }],
});
export const create = (seq: number, key: string, set: object = { name: key }) => ({
  id: stamp(),
  seq,
  schema: 1,
  ops: [{ op: "create", domain: "project", key, set }],
});

export function problem(answer: Answer, code: keyof typeof codes): void {
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  const decoded = decode(problemDecoder, answer.body);
  expect(decoded).toMatchObject({ ok: true, value: { code, status: answer.status } });
  expect((codes[code] as { status?: number }).status).toBe(answer.status);
}
