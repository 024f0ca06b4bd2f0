import {
  codeEntry,
  createSpaceAnswer,
  type Decoder,
  decodeText,
  exchangeAnswer,
  infoAnswer,
  membersAnswer,
  problemDecoder,
  reconcileAnswer,
  rowsAnswer,
  spacesAnswer,
  streamLine,
} from "@landfall/protocol";
import type { Random } from "@landfall/protocol/shaped-values.fixture";
import { fuzzedServer } from "./fuzzed-server.js";
import { flipBits, mutateText, mutateValue, textOf } from "./mutate.js";
import { Seqs, shaped, spaces } from "./server-inputs.js";
import { type Fate, type FuzzTarget, fault } from "./target.js";

interface Endpoint {
  readonly method: string;
  readonly share: number;
  path(random: Random): string;
  body?(random: Random, breaking: number, seqs: Seqs): unknown;
  /** What answers it in JSON; undefined where any JSON does. */
  readonly answer?: Decoder<unknown>;
}

const space = (random: Random): string => random.pick(spaces);
const user = (random: Random): string =>
  encodeURIComponent(random.pick(["ann", "bob", "å", "a/b", "x".repeat(300)]));

/** A query of pulls, with values right and wrong. */
function query(random: Random): string {
  const number = (): string => random.pick(["0", "1", "5", "-1", "1.5", "9007199254740993", "", "x", "1e3"]);
  const list = (): string =>
    random.pick(["k1", "k1,k2", "k1:1", "a:1,b:2", "", ",", "%00", "__proto__", "k1:x"]);
  const parts = [
    `domain=${random.pick(["a", "a", "project", "", "a/b", "__proto__"])}`,
    ...["since", "modified_since", "limit"]
      .filter(() => random.below(3) === 0)
      .map((name) => `${name}=${number()}`),
    ...["keys", "known"].filter(() => random.below(4) === 0).map((name) => `${name}=${list()}`),
    ...(random.below(5) === 0 ? [`fields=${random.pick(["key", "", "name"])}`] : []),
    ...(random.below(20) === 0 ? ["surprise=1"] : []),
  ];
  return parts.join("&");
}

const endpoints: readonly Endpoint[] = [
  {
    method: "POST",
    share: 50,
    path: () => "/v1/exchange",
    body: (random, breaking, seqs) => seqs.request(random, breaking),
    answer: exchangeAnswer,
  },
  {
    method: "GET",
    share: 12,
    path: (random) => `/v1/spaces/${space(random)}/rows?${query(random)}`,
    answer: rowsAnswer,
  },
  {
    method: "POST",
    share: 12,
    path: () => "/v1/reconcile",
    body: (random, breaking) =>
      Object.assign(shaped("reconcileRequest", random, breaking), {
        protocol: 1,
        space: space(random),
        domain: "a",
      }),
    answer: reconcileAnswer,
  },
  {
    method: "POST",
    share: 3,
    path: () => "/v1/spaces",
    body: (random, breaking) => ({
      ...shaped("createSpaceRequest", random, breaking),
      space: random.pick([...spaces, "a/b", 7, null]),
    }),
    answer: createSpaceAnswer,
  },
  { method: "GET", share: 2, path: () => "/v1/spaces", answer: spacesAnswer },
  { method: "GET", share: 2, path: () => "/v1/info", answer: infoAnswer },
  { method: "GET", share: 2, path: (random) => `/v1/spaces/${space(random)}/members`, answer: membersAnswer },
  {
    method: "PUT",
    share: 3,
    path: (random) => `/v1/spaces/${space(random)}/members/${user(random)}`,
    body: (random, breaking) => shaped("setMemberRequest", random, breaking),
  },
  { method: "DELETE", share: 2, path: (random) => `/v1/spaces/${space(random)}/members/${user(random)}` },
  { method: "GET", share: 1, path: () => "/v1/socket" },
  { method: "GET", share: 1, path: (random) => random.pick(["/healthz", "/readyz"]) },
];

const pool = endpoints.flatMap((endpoint) => Array.from({ length: endpoint.share }, () => endpoint));

/** What an answer's status may be: 5xx is never the caller's doing. */
const statuses = new Set([200, 201, 304, 400, 401, 403, 404, 405, 406, 409, 413, 415]);

function headers(random: Random): { [name: string]: string } {
  const rarely = <T>(right: T, wrong: readonly T[]): T =>
    random.below(25) === 0 ? random.pick(wrong) : right;
  return {
    authorization: rarely(random.below(8) === 0 ? "Bearer dev:bob" : "Bearer dev:ann", [
      "",
      "Bearer",
      "Basic x",
      "Bearer dev:",
      `Bearer ${"x".repeat(20_000)}`,
    ]),
    "content-type": rarely("application/json", ["text/plain", "application/json; charset=latin1", ""]),
    accept: rarely(random.pick(["application/json", "application/x-ndjson", "*/*"]), [
      "text/html",
      "application/json;q=0",
      "x",
      "*/*;q=nan",
    ]),
    ...(random.below(30) === 0 ? { "content-encoding": "gzip" } : {}),
    ...(random.below(20) === 0 ? { "if-none-match": random.pick(["*", '"x"', 'W/"', ""]) } : {}),
    ...(random.below(20) === 0 ? { origin: random.pick(["https://a.example", "null", "x"]) } : {}),
  };
}

/** Every endpoint of a whole server, in this process. */
export const httpTarget: FuzzTarget = {
  name: "http",
  share: 25,
  async open() {
    const fuzzed = await fuzzedServer();
    const seqs = new Seqs();
    const feed = async (random: Random): Promise<Fate> => {
      const endpoint = random.pick(pool);
      const asked = make(endpoint, random, seqs);
      if (asked === undefined) return "refused";
      const { request, said, value } = asked;
      const answer = await fuzzed.server.handler(request);
      const text = await answer.text();
      const [found] = fuzzed.faults.splice(0);
      if (found !== undefined) throw fault(`the server logged a fault of its own: ${inspect(found)}`, said);
      const fate = judge(endpoint, answer, text, said);
      if (fate === "taken" && endpoint.answer === exchangeAnswer && text.startsWith('{"time"'))
        seqs.learn((value as { device?: unknown }).device, (JSON.parse(text) as { spaces: [] }).spaces);
      if (await fuzzed.counted()) seqs.forget();
      return fate;
    };
    return { feed, close: () => fuzzed.server.close() };
  },
};

function make(
  endpoint: Endpoint,
  random: Random,
  seqs: Seqs,
): { readonly request: Request; readonly said: string; readonly value: unknown } | undefined {
  let path = endpoint.path(random);
  if (random.below(20) === 0) path = mutateText(path, random);
  const method =
    random.below(40) === 0
      ? random.pick(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
      : endpoint.method;
  let value = endpoint.body?.(random, random.pick([0, 0, 0.01, 0.05]), seqs);
  for (let times = random.pick([0, 0, 1, 2]); times > 0 && value !== undefined; times--)
    value = mutateValue(value, random);
  let text = value === undefined ? undefined : textOf(value);
  if (text !== undefined && random.below(6) === 0) text = mutateText(text, random);
  const body = text === undefined ? undefined : random.below(30) === 0 ? flipBits(text, random) : text;
  const said = `${method} ${path} ${text ?? ""}`;
  try {
    const hasBody = body !== undefined && method !== "GET" && method !== "HEAD";
    const request = new Request(new URL(path, "http://fuzz"), {
      method,
      headers: headers(random),
      ...(hasBody ? { body } : {}),
    });
    return { request, said, value };
  } catch {
    // What cannot even be asked reaches no server.
    return undefined;
  }
}

function judge(endpoint: Endpoint, answer: Response, text: string, said: string): Fate {
  const { status } = answer;
  if (status === 204) return "taken";
  if (!statuses.has(status)) throw fault(`the answer is ${status}: ${text.slice(0, 500)}`, said);
  const type = answer.headers.get("content-type") ?? "";
  if (status >= 400) {
    if (text === "" && said.startsWith("HEAD")) return "refused";
    const problem = decodeText(problemDecoder, text);
    const isRight =
      problem.ok && problem.value.status === status && codeEntry(problem.value.code) !== undefined;
    if (!isRight || type !== "application/problem+json")
      throw fault(`a refusal that is no problem: ${type} ${text.slice(0, 500)}`, said);
    return "refused";
  }
  if (text === "") return "taken";
  if (type === "application/x-ndjson") {
    if (endpoint.answer !== exchangeAnswer) return "taken";
    for (const line of text.slice(0, -1).split("\n")) {
      const decoded = decodeText(streamLine, line);
      if (!decoded.ok)
        throw fault(`a line that is none of ours: ${decoded.message} in ${line.slice(0, 500)}`, said);
    }
    if (!text.endsWith('{"type":"done"}\n')) throw fault("a stream that was cut off", said);
    return "taken";
  }
  const isWhole = said.startsWith(endpoint.method) && !said.includes("fields=key");
  const decoder = isWhole && answerBelongs(said, endpoint) ? endpoint.answer : undefined;
  const decoded = decoder && decodeText(decoder, text);
  if (decoded && !decoded.ok)
    throw fault(`an answer of another shape: ${decoded.message} in ${text.slice(0, 500)}`, said);
  return "taken";
}

/** Whether a path that may have been damaged still is the endpoint's own. */
function answerBelongs(said: string, { answer }: Endpoint): boolean {
  const path = said.split(" ")[1] ?? "";
  if (answer === rowsAnswer) return /^\/v1\/spaces\/[\w-]+\/rows\?/.test(path);
  if (answer === membersAnswer) return /^\/v1\/spaces\/[\w-]+\/members$/.test(path);
  return /^\/v1\/(exchange|reconcile|spaces|info)$/.test(path)
    ? !(answer === spacesAnswer && path !== "/v1/spaces")
    : false;
}

function inspect(found: unknown): string {
  const [message, fields] = found as [string, { readonly error?: { readonly stack?: string } }];
  return `${message} ${fields?.error?.stack ?? JSON.stringify(fields)}`;
}
