import { type ClockPort, type TimerPort } from "@landfall/protocol";
import type { Random } from "@landfall/protocol/shaped-values.fixture";
import { httpRemote } from "@landfall/client/remote/http";
import { type AnswerSink, RemoteError } from "@landfall/client/remote/port";
import type { SocketLike } from "@landfall/client/ports";
import { flipBits, mutateText, mutateValue, textOf } from "./mutate.js";
import { shaped } from "./server-inputs.js";
import { type Fate, type FuzzTarget, fault } from "./target.js";

const clock: ClockPort = { now: () => 1_795_000_000_000 };
/** Nothing here is waited for. */
const timers: TimerPort = { after: () => () => undefined };
const sink: AnswerSink = {
  time: () => undefined,
  space: () => undefined,
  rows: () => undefined,
  checkpoint: () => undefined,
  end: () => undefined,
  failure: () => undefined,
};

/** The lines of an answer in their order, each as declared. */
function streamText(random: Random): string {
  const breaking = random.pick([0, 0, 0, 0.02]);
  const line = (name: string): unknown => shaped(name, random, breaking);
  const lines: unknown[] = [line("streamTime")];
  for (let i = random.below(3); i > 0; i--) {
    lines.push(line("streamSpace"));
    for (let j = random.below(4); j > 0; j--)
      lines.push(random.below(4) === 0 ? line("streamCheckpoint") : line("rowDecoder"));
    lines.push(line(random.below(6) === 0 ? "streamFailure" : "streamEnd"));
  }
  lines.push(line("streamDone"));
  if (random.below(3) === 0) {
    const at = random.below(lines.length);
    lines[at] = mutateValue(lines[at], random);
  }
  if (random.below(6) === 0) lines.splice(random.below(lines.length), 1);
  return lines.map((one) => `${textOf(one)}\n`).join("");
}

/** A body as a server, a proxy or a bad line may send it. */
function body(text: string, random: Random): string | Uint8Array<ArrayBuffer> {
  if (random.below(5) === 0) return mutateText(text, random);
  return random.below(5) === 0 ? flipBits(text, random) : text;
}

const statuses = [200, 200, 200, 200, 200, 400, 401, 404, 413, 429, 500, 502, 503, 511, 302];

function response(text: string, random: Random): Response {
  const status = random.pick(statuses);
  const said =
    status < 400
      ? text
      : textOf(random.below(3) === 0 ? "<html>" : shaped("problemDecoder", random, random.pick([0, 0.05])));
  const headers: { [name: string]: string } = {};
  if (random.below(6) === 0)
    headers["retry-after"] = random.pick([
      "1",
      "-1",
      "soon",
      "1e9",
      "Sat, 21 Nov 2026 05:00:00 GMT",
      "99999999999999999999",
    ]);
  if (random.below(6) === 0) headers["landfall-backoff"] = random.pick(["2", "x", "-5", "1e400"]);
  return new Response(body(said, random), { status, headers });
}

/** What a client hears: answers, refusals and pages of proxies over HTTP, and messages over the socket. */
export const clientTarget: FuzzTarget = {
  name: "client",
  share: 7,
  open: () =>
    Promise.resolve({ feed: (random) => (random.below(3) === 0 ? overSocket(random) : overHttp(random)) }),
};

async function overHttp(random: Random): Promise<Fate> {
  let said = "";
  const remote = httpRemote({
    url: "http://fuzz",
    clock,
    timers,
    net: {
      fetch: async () => {
        const answer = response(said, random);
        said = await answer.clone().text();
        return answer;
      },
    },
  });
  const calls = {
    exchange: () => (
      (said = streamText(random)),
      remote.exchange({ protocol: 1, device: "d", spaces: [] }, sink, { token: "t" })
    ),
    info: () => ((said = textOf(mutated("infoAnswer", random))), remote.info("t")),
    reconcile: () => (
      (said = textOf(mutated("reconcileAnswer", random))),
      remote.reconcile({ protocol: 1, space: "s", generation: "g", domain: "d", upTo: 1, frame: "AAA" }, "t")
    ),
    call: () => ((said = textOf(mutated("spacesAnswer", random))), remote.call("GET", "/v1/spaces", "t")),
  };
  try {
    await calls[random.pick(["exchange", "exchange", "info", "reconcile", "call"] as const)]();
    return "taken";
  } catch (error) {
    if (!(error instanceof RemoteError))
      throw fault(`the remote throws ${String((error as Error)?.stack ?? error)}`, said);
    const { retryAfterMs = 0 } = error;
    if (!(retryAfterMs >= 0) || typeof error.message !== "string")
      throw fault(`a failure that says nothing: ${error.code} ${error.message}`, said);
    return "refused";
  }
}

function mutated(name: string, random: Random): unknown {
  const value = shaped(name, random, random.pick([0, 0, 0.02]));
  return random.below(3) === 0 ? mutateValue(value, random) : value;
}

async function overSocket(random: Random): Promise<Fate> {
  let line: SocketLike | undefined;
  const state = { over: false };
  const remote = httpRemote({
    url: "http://fuzz",
    clock,
    timers,
    net: {
      fetch: () => Promise.reject(new TypeError("no network")),
      webSocket: () => (line = { send: () => undefined, close: () => undefined } as unknown as SocketLike),
    },
  });
  const said: string[] = [];
  const channel = remote.pokes?.(
    { token: "t", device: "d" },
    { open: () => undefined, message: () => undefined, closed: () => void (state.over = true) },
  );
  try {
    line?.onopen?.();
    for (let i = 0; i < 1 + random.below(5) && !state.over; i++) {
      let value: unknown =
        i === 0 && random.below(8) > 0 ? { type: "welcome", time: 1 } : mutated("serverMessage", random);
      if (random.below(10) === 0)
        value = { type: "answer", id: random.below(3), lines: [mutated("streamLine", random)] };
      const text = random.below(10) === 0 ? mutateText(textOf(value), random) : textOf(value);
      said.push(text);
      line?.onmessage?.({ data: random.below(50) === 0 ? new Uint8Array([1, 2]) : text });
      await Promise.resolve();
    }
    channel?.close();
  } catch (error) {
    throw fault(`the socket throws ${String((error as Error)?.stack ?? error)}`, said.join("\n"));
  }
  return state.over ? "refused" : "taken";
}
