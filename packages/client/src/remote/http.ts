import { type ClockPort, type TimerPort, decode, decodeText, infoAnswer, problemDecoder } from "@landfall/protocol";
import type { NetPort } from "../ports.js";
import { garbled, readAnswer, readStream } from "./answer.js";
import { type Remote, RemoteError } from "./port.js";
import { openPokes } from "./socket.js";

export interface HttpRemoteOptions {
  /** The server's absolute address, with or without a path; `/v1/…` is put behind it. */
  readonly url: string;
  readonly net: NetPort;
  readonly clock: ClockPort;
  readonly timers: TimerPort;
}

/** Silence after which a request is given up: longer than 1 MB takes at 133 kbit/s. */
const silenceMs = 60_000;
/** An answer that is not streamed is held whole; what is larger is asked for as a stream. */
const maxAnswerChars = 67_108_864;
const maxProblemChars = 65_536;

/** The code of a refusal whose body does not say it: a proxy's page. */
const codeOfStatus: { readonly [status: number]: string } = { 401: "unauthorized", 408: "timeout", 413: "too_large", 429: "rate_limited" };

/** What a header asks to wait, in seconds or as a date (RFC 9110 §10.2.3). */
function waitMs(response: Response, name: string, clock: ClockPort): number | undefined {
  const text = response.headers.get(name);
  if (!text) return undefined;
  const ms = /^\d/.test(text) ? Number.parseFloat(text) * 1000 : Date.parse(text) - (Date.parse(response.headers.get("date") ?? "") || clock.now());
  return ms >= 0 ? ms : undefined;
}

async function wholeText(texts: AsyncIterable<string>, maxChars: number): Promise<string> {
  let whole = "";
  for await (const text of texts) {
    whole += text;
    if (whole.length > maxChars) throw garbled(`The answer is longer than ${maxChars} characters.`);
  }
  return whole;
}

/** A server behind HTTP, with pokes over a WebSocket where the platform has one (DESIGN §6). */
export function httpRemote({ url, net, clock, timers }: HttpRemoteOptions): Remote {
  const base = url.replace(/\/+$/, "");

  /** What was refused, as the problem of ours says it, or as its status does. */
  const refusal = async (response: Response, texts: AsyncIterable<string>): Promise<RemoteError> => {
    const { status } = response;
    const problem = decodeText(problemDecoder, await wholeText(texts, maxProblemChars).catch(() => ""));
    const code = problem.ok ? problem.value.code : (codeOfStatus[status] ?? (status >= 500 ? "unavailable" : undefined));
    if (code === undefined || status === 511) return garbled(`What answered at ${base} (${status || "a redirect"}) is not a Landfall server.`);
    const asked = [waitMs(response, "retry-after", clock), waitMs(response, "landfall-backoff", clock), problem.ok ? problem.value.retryAfterMs : undefined];
    const retryAfterMs = Math.max(...asked.map((ms) => ms ?? -1));
    const message = problem.ok ? (problem.value.detail ?? problem.value.title) : `The server refused with status ${status}.`;
    return new RemoteError({ kind: "refused", status, code, message, ...(retryAfterMs >= 0 && { retryAfterMs }) });
  };

  const request = async <T>(
    init: { readonly method: string; readonly path: string; readonly token: string; readonly body?: unknown; readonly accept: string; readonly signal?: AbortSignal | undefined },
    read: (response: Response, texts: AsyncIterable<string>) => Promise<T>,
  ): Promise<T> => {
    const abort = new AbortController();
    const giveUp = (): void => abort.abort();
    let timedOut = false;
    let cancelTimer = (): void => undefined;
    const watch = (): void => {
      cancelTimer();
      cancelTimer = timers.after(silenceMs, () => {
        timedOut = true;
        giveUp();
      });
    };
    const overNetwork = async <V>(what: Promise<V>): Promise<V> => {
      watch();
      try {
        return await what;
      } catch (error) {
        throw new RemoteError({ kind: "network", timedOut, message: timedOut ? `No answer within ${silenceMs / 1000} s.` : `The server cannot be reached (${(error as Error).message}).` });
      }
    };
    async function* texts(response: Response): AsyncGenerator<string> {
      // Some platforms cannot stream an answer.
      if (!response.body) return yield await overNetwork(response.text());
      const reader = response.body.getReader();
      const decoder = new TextDecoder("utf-8", { fatal: true });
      for (;;) {
        const { done, value } = await overNetwork(reader.read());
        let text: string;
        try {
          text = decoder.decode(value, { stream: !done });
        } catch {
          throw garbled("The answer is not UTF-8.");
        }
        yield text;
        if (done) return;
      }
    }
    init.signal?.addEventListener("abort", giveUp);
    if (init.signal?.aborted) giveUp();
    try {
      const response = await overNetwork(
        net.fetch(base + init.path, {
          method: init.method,
          headers: { accept: init.accept, authorization: `Bearer ${init.token}`, ...(init.body !== undefined && { "content-type": "application/json" }) },
          ...(init.body !== undefined && { body: JSON.stringify(init.body) }),
          cache: "no-store",
          credentials: "omit",
          // A token and a person's writes follow no redirect, least of all a captive portal's.
          redirect: "manual",
          signal: abort.signal,
        }),
      );
      if (!response.ok) throw await refusal(response, texts(response));
      return await read(response, texts(response));
    } finally {
      cancelTimer();
      init.signal?.removeEventListener("abort", giveUp);
      // What was not read is not wanted; without this the connection would stay busy.
      giveUp();
    }
  };

  const call: Remote["call"] = (method, path, token, body) =>
    request({ method, path, token, body, accept: "application/json" }, async (_response, texts) => {
      const text = await wholeText(texts, maxAnswerChars);
      try {
        return text === "" ? undefined : (JSON.parse(text) as unknown);
      } catch {
        throw garbled(`What answered at ${base} is not a Landfall server.`);
      }
    });

  const { webSocket } = net;
  return {
    exchange: (body, sink, { token, stream, signal }) =>
      request({ method: "POST", path: "/v1/exchange", token, body, accept: stream ? "application/x-ndjson" : "application/json", signal }, async (response, texts) => {
        if (response.headers.get("content-type")?.startsWith("application/x-ndjson")) await readStream(texts, sink);
        else readAnswer(await wholeText(texts, maxAnswerChars), sink);
        const backoffMs = waitMs(response, "landfall-backoff", clock);
        return backoffMs === undefined ? {} : { backoffMs };
      }),
    async info(token) {
      const decoded = decode(infoAnswer, await call("GET", "/v1/info", token));
      if (!decoded.ok) throw garbled(decoded.message);
      return decoded.value;
    },
    call,
    ...(webSocket && { pokes: (hello, listener) => openPokes(webSocket, timers, `${base.replace(/^http/, "ws")}/v1/socket`, hello, listener) }),
  };
}
