import {
  type Decoder,
  type ExchangeAnswer,
  type Problem,
  decode,
  exchangeAnswer,
  problemDecoder,
} from "@landfall/protocol";
import { Departure, must } from "./check.js";

const patienceMs = 20_000;
/** What an answer may have at most: the kit asks for nothing that comes near it. */
const maxAnswerBytes = 16_000_000;

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Asked {
  readonly method?: string;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, in place of `json`. */
  readonly body?: string | Uint8Array;
  readonly headers?: { readonly [name: string]: string };
  /** Another token; an empty one for none. */
  readonly token?: string;
}

/** Someone who asks the server over HTTP, with a token of their own. */
export class Caller {
  /** The name that the server knows the token's user by; from `/v1/info`. */
  user = "";

  constructor(
    readonly url: string,
    readonly token: string,
  ) {}

  async ask(path: string, asked: Asked = {}): Promise<Answer> {
    const { json, token = this.token } = asked;
    const body = asked.body ?? (json === undefined ? undefined : JSON.stringify(json));
    const answer = await fetch(this.url + path, {
      method: asked.method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...asked.headers,
      },
      ...(body === undefined ? {} : { body: body as NonNullable<RequestInit["body"]> }),
      redirect: "manual",
      signal: AbortSignal.timeout(patienceMs),
    });
    return { status: answer.status, headers: answer.headers, text: await readText(answer) };
  }

  /** @throws Departure unless the answer has this status and is of this shape. */
  async get<T>(decoder: Decoder<T>, status: number, path: string, asked: Asked = {}): Promise<T> {
    return decoded(decoder, status, path, await this.ask(path, asked));
  }

  /** @throws Departure unless the answer is a problem of this code. */
  async refused(code: string, path: string, asked: Asked = {}): Promise<Problem> {
    return problem(code, path, await this.ask(path, asked));
  }

  async exchange(request: unknown): Promise<ExchangeAnswer> {
    return this.get(exchangeAnswer, 200, "/v1/exchange", { json: request });
  }
}

async function readText(answer: Response): Promise<string> {
  const reader = answer.body?.getReader();
  if (reader === undefined) return "";
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = (await reader.read()) as { done: boolean; value: Uint8Array };
    if (done) return Buffer.concat(chunks).toString("utf8");
    bytes += value.length;
    if (bytes > maxAnswerBytes) {
      await reader.cancel();
      throw new Departure(`an answer has more than ${maxAnswerBytes} bytes`);
    }
    chunks.push(value);
  }
}

export function parsed(what: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Departure(`${what}: ${JSON.stringify(text.slice(0, 200))} is not JSON`);
  }
}

/** @throws Departure unless the value is of the declared shape. */
export function read<T>(decoder: Decoder<T>, what: string, value: unknown): T {
  const result = decode(decoder, value);
  if (!result.ok) throw new Departure(`${what} is not of the declared shape: ${result.message}`);
  return result.value;
}

/** @throws Departure unless the answer has this status and is of this shape. */
function decoded<T>(decoder: Decoder<T>, status: number, what: string, answer: Answer): T {
  must(
    answer.status === status,
    `${what}: the status is ${answer.status}, not ${status}: ${answer.text.slice(0, 300)}`,
  );
  return read(decoder, what, parsed(what, answer.text));
}

/** The status of each code that the kit provokes, as the table in docs/protocol.md has it. */
const statuses: { readonly [code: string]: number } = {
  bad_json: 400,
  invalid_request: 400,
  protocol_unsupported: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  not_available: 409,
  last_owner: 409,
  too_large: 413,
  unsupported_media_type: 415,
};

/** @throws Departure unless the answer is `application/problem+json` with this code and its status. */
export function problem(code: string, what: string, answer: Answer): Problem {
  const status = statuses[code] ?? 0;
  must(
    answer.status === status,
    `${what}: the status is ${answer.status}, not ${status} (${code}): ${answer.text.slice(0, 300)}`,
  );
  const type = answer.headers.get("content-type") ?? "";
  must(
    /^application\/problem\+json\b/.test(type),
    `${what}: the refusal is ${type}, not application/problem+json`,
  );
  const body = read(problemDecoder, what, parsed(what, answer.text));
  must(body.code === code, `${what}: the code is ${body.code}, not ${code}`);
  must(body.status === status, `${what}: the problem's status is ${body.status}, the answer's ${status}`);
  return body;
}
