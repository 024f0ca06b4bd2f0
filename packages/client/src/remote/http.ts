import {
  type ClockPort,
  type TimerPort,
  decode,
  decodeText,
  infoAnswer,
  problemDecoder,
  reconcileAnswer,
} from "@landfall/protocol";
import type { NetAnswer, NetPort } from "../ports.js";
import { garbled, readLines, readStream, sound } from "./answer.js";
import { type Remote, RemoteError } from "./port.js";
import { type Socket, openPokes } from "./socket.js";

export interface HttpRemoteOptions {
  /** The server's absolute address, with or without a path; `/v1/…` is put behind it. */
  readonly url: string;
  readonly net: NetPort;
  readonly clock: ClockPort;
  readonly timers: TimerPort;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly body?: unknown;
  readonly accept: string;
  readonly signal?: AbortSignal | undefined;
}

/** Silence after which a call is given up: longer than 1 MB takes at 133 kbit/s. */
const silenceMs = 60_000;
/** The lists of `call` are held whole; an exchange is not. */
const maxTextChars = 67_108_864;

/** The code of a refusal whose body does not say it: a proxy's page. */
const codeOfStatus: { readonly [status: number]: string } = {
  401: "unauthorized",
  408: "timeout",
  413: "too_large",
  429: "rate_limited",
};

async function whole(texts: AsyncIterable<string>): Promise<string> {
  let all = "";
  for await (const text of texts) if ((all += text).length > maxTextChars) throw garbled("it is too long");
  return all;
}

/** What a header asks to wait, in seconds or as a date (RFC 9110 §10.2.3); 0 when it does not. */
function waitMs({ headers }: NetAnswer, name: string, clock: ClockPort): number {
  const text = headers.get(name) ?? "";
  const ms = /^\d/.test(text)
    ? Number.parseFloat(text) * 1000
    : Date.parse(text) - (Date.parse(headers.get("date") ?? "") || clock.now());
  return Math.max(0, ms || 0);
}

/** What was refused, as the problem of ours says it, or as its status does. */
async function refusal(
  response: NetAnswer,
  texts: AsyncIterable<string>,
  clock: ClockPort,
): Promise<RemoteError> {
  const { status } = response;
  const decoded = decodeText(problemDecoder, await whole(texts));
  const problem = decoded.ok ? decoded.value : undefined;
  const code =
    problem?.code ?? codeOfStatus[status] ?? (status >= 500 && status !== 511 ? "unavailable" : undefined);
  if (code === undefined) return garbled(`status ${status}`);
  return new RemoteError({
    status,
    code,
    message: problem?.detail ?? problem?.title ?? `The server refused with status ${status}.`,
    retryAfterMs: Math.max(
      waitMs(response, "retry-after", clock),
      waitMs(response, "landfall-backoff", clock),
      problem?.retryAfterMs ?? 0,
    ),
  });
}

/** Why a call ends that is over or was given up; one for all, since making one anew with each call costs more than the call's end. */
const over = new Error("The call was given up.");

/** Makes one call; `read` gets the answer's text as it comes. */
async function request<T>(
  { url, net, clock, timers }: HttpRemoteOptions,
  call: Call,
  read: (texts: AsyncIterable<string>, response: NetAnswer) => Promise<T>,
): Promise<T> {
  const { method, path, token, body, accept, signal } = call;
  const abort = new AbortController();
  let timedOut = false;
  let cancelTimer = (): void => undefined;
  let endWait = (_cause: unknown): void => undefined;
  const giveUp = (): void => {
    abort.abort(over);
    endWait(over);
  };
  const overNetwork = <V>(what: Promise<V>): Promise<V> =>
    new Promise((resolve, reject) => {
      cancelTimer();
      cancelTimer = timers.after(silenceMs, () => {
        timedOut = true;
        giveUp();
      });
      endWait = (cause) => {
        const message = timedOut ? "The server does not answer." : "The server cannot be reached.";
        reject(new RemoteError({ code: "network", timedOut, message }, { cause }));
      };
      what.then(resolve, endWait);
      // Node's reader never settles if it is given up when all but the end was read, so that giving up ends each wait itself.
      if (abort.signal.aborted) endWait(over);
    });
  async function* texts(response: NetAnswer): AsyncGenerator<string> {
    const reader = response.body?.getReader();
    // Some platforms cannot stream an answer.
    if (!reader) return yield await overNetwork(response.text());
    // What looks like a mark of the byte order is a character of ours.
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    for (;;) {
      const { done, value } = await overNetwork(reader.read());
      if (done) return;
      try {
        // Nothing is open behind a character of ASCII, and Node decodes much faster where nothing is to be remembered.
        yield decoder.decode(value, { stream: (value?.at(-1) ?? 128) > 127 });
      } catch {
        throw garbled("it is not UTF-8");
      }
    }
  }
  signal?.addEventListener("abort", giveUp);
  if (signal?.aborted) giveUp();
  try {
    const response = await overNetwork(
      net.fetch(url.replace(/\/+$/, "") + path, {
        method,
        headers: { accept, authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
        // A token and a person's writes follow no redirect, least of all a captive portal's.
        redirect: "manual",
        signal: abort.signal,
      }),
    );
    if (!response.ok) throw await refusal(response, texts(response), clock);
    return await read(texts(response), response);
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", giveUp);
    // What was not read is not wanted; without this the connection would stay busy.
    abort.abort(over);
  }
}

/** A server behind HTTP, with pokes and small exchanges over a WebSocket where the platform has one (DESIGN §6). */
export function httpRemote(options: HttpRemoteOptions): Remote {
  const { url, net, clock, timers } = options;
  const call: Remote["call"] = (method, path, token, body) =>
    request(options, { method, path, token, body, accept: "application/json" }, async (texts) => {
      const text = await whole(texts);
      try {
        return text ? (JSON.parse(text) as unknown) : undefined;
      } catch {
        throw garbled("it is not JSON");
      }
    });
  const { webSocket } = net;
  let socket: Socket | undefined;
  return {
    async exchange(body, sink, by) {
      const { token, signal } = by;
      const lines = await socket?.exchange(body, by);
      if (lines) {
        readLines(lines, sink);
        return {};
      }
      // Always as a stream: however much there is, it is never held whole, and a broken one goes on from its last checkpoint.
      return request(
        options,
        { method: "POST", path: "/v1/exchange", token, body, accept: "application/x-ndjson", signal },
        async (texts, response) => {
          await readStream(texts, sink);
          return { backoffMs: waitMs(response, "landfall-backoff", clock) };
        },
      );
    },
    reconcile: async (asked, token) =>
      sound(decode(reconcileAnswer, await call("POST", "/v1/reconcile", token, asked))),
    info: async (token) => sound(decode(infoAnswer, await call("GET", "/v1/info", token))),
    call,
    ...(webSocket && {
      pokes: (hello, listener) =>
        (socket = openPokes(
          webSocket,
          timers,
          `${url.replace(/^http/, "ws").replace(/\/+$/, "")}/v1/socket`,
          hello,
          listener,
        )),
    }),
  };
}
