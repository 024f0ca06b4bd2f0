import {
  type ExchangeRequest,
  type StreamLine,
  type TimerPort,
  decodeText,
  serverMessage,
  socketCloseCodes,
  socketProtocol,
} from "@landfall/protocol";
import * as limits from "@landfall/protocol/limits";
import type { SocketLike } from "../ports.js";
import type { PokeChannel, PokeListener } from "./port.js";

/** The line is looked at so often, and not timed at every message; until then the server must have said its welcome. */
const lookMs = 32_000;
/** A server says `heads` every 30 s to who watches; a line that is silent for two of them is dead, whatever TCP believes. */
const silentLooks = 3;
/** An exchange that is not answered after so long is asked over HTTP. */
const answerMs = 10_000;
/** More events are for HTTP without being looked at: what is made of them is most likely too long. */
const maxEvents = 20;
/** Longer than any message of the server: a delta's rows are bounded, and so is what may be watched. */
const maxMessageChars = 4_194_304;

function isShort({ spaces }: ExchangeRequest): boolean {
  let events = 0;
  for (const space of spaces) events += space.events?.length ?? 0;
  return events <= maxEvents;
}

export interface Socket extends PokeChannel {
  /**
   * Makes a small exchange. Resolves to the lines of its answer; to undefined where it is for HTTP, perhaps after
   * all: then its events may have been handled, as with any answer that was lost.
   */
  exchange(
    request: ExchangeRequest,
    options: { readonly token: string; readonly signal?: AbortSignal },
  ): Promise<readonly StreamLine[] | undefined>;
}

/** The exchanges of one socket. There may be two: one that went ahead in vain is still under way when the next is made. */
function socketExchanges(
  timers: TimerPort,
  send: (text: string) => void,
): {
  readonly ask: Socket["exchange"];
  answer(lines: readonly StreamLine[] | undefined, id: number): void;
  /** Nothing more is answered. */
  end(): void;
} {
  let asked = 0;
  /** What ends the exchanges that are under way, by id. */
  const underWay = new Map<number, (lines?: readonly StreamLine[]) => void>();
  return {
    // One that comes late is passed over.
    answer: (lines, id) => underWay.get(id)?.(lines),
    end: () => underWay.forEach((settle) => settle()),
    ask(request, { token, signal }) {
      const id = ++asked;
      const text = isShort(request) ? JSON.stringify({ type: "exchange", id, token, request }) : "";
      if (!text || text.length > limits.maxSocketRequestChars) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        const giveUp = (): void => settle();
        const cancel = timers.after(answerMs, giveUp);
        signal?.addEventListener("abort", giveUp);
        const settle = (lines?: readonly StreamLine[]): void => {
          underWay.delete(id);
          cancel();
          signal?.removeEventListener("abort", giveUp);
          resolve(lines);
        };
        underWay.set(id, settle);
        send(text);
      });
    },
  };
}

type Closed = Parameters<PokeListener["closed"]>[0];

const closedBy = ({ code, reason }: { readonly code: number; readonly reason: string }): Closed => ({
  unauthorized: code === socketCloseCodes.unauthorized,
  message: reason || `The socket was closed (${code}).`,
});

/** Opens a socket for pokes (DESIGN §6.1). The token goes in the first message, never into the address. */
export function openPokes(
  webSocket: (url: string, protocol: string) => SocketLike,
  timers: TimerPort,
  url: string,
  hello: { readonly token: string; readonly device: string },
  listener: PokeListener,
): Socket {
  let socket: SocketLike | undefined;
  let welcomed = false;
  let watched: { readonly [space: string]: readonly string[] } = {};
  let opened = false;
  let cancelTimer = (): void => undefined;
  const exchanges = socketExchanges(timers, (text) => socket?.send(text));

  /** Ends the socket once; says so unless it was our own wish. */
  const end = (reason?: Partial<Closed> & Pick<Closed, "message">): void => {
    cancelTimer();
    const ended = socket;
    socket = undefined;
    exchanges.end();
    if (!ended) return;
    ended.close();
    if (reason) listener.closed({ unauthorized: false, ...reason });
  };
  /** Looks since the last word. */
  let silent = 0;
  const look = (): void => {
    cancelTimer = timers.after(lookMs, () => {
      silent = Object.keys(watched).length > 0 ? silent + 1 : 0;
      if (!welcomed || silent === silentLooks) end({ silent: true, message: "The socket fell silent." });
      else look();
    });
  };
  const say = (message: object): void => {
    // A socket that is still opening says hello and what is watched by itself.
    if (socket && opened) socket.send(JSON.stringify(message));
  };
  socket = webSocket(url, socketProtocol);
  look();
  socket.onopen = () => {
    opened = true;
    say({ type: "hello", ...hello });
    say({ type: "watch", spaces: watched });
  };
  socket.onmessage = ({ data }) => {
    if (!socket) return;
    const decoded =
      typeof data === "string" && data.length <= maxMessageChars && decodeText(serverMessage, data);
    if (!decoded || !decoded.ok)
      return end({ message: "The socket brought something that is not of this protocol." });
    const message = decoded.value;
    const first = message?.type === "welcome" && !welcomed;
    welcomed ||= first;
    silent = 0;
    if (first) listener.open();
    if (message?.type === "answer") exchanges.answer(message.lines, message.id);
    else if (message) listener.message(message);
  };
  // A close event follows, with all that a browser tells of an error.
  socket.onerror = () => undefined;
  socket.onclose = (event) => end(closedBy(event));
  return {
    watch(spaces) {
      watched = spaces;
      say({ type: "watch", spaces });
    },
    auth(token) {
      hello = { ...hello, token };
      say({ type: "auth", token });
    },
    exchange: (request, options) =>
      welcomed && socket ? exchanges.ask(request, options) : Promise.resolve(undefined),
    close: () => end(),
  };
}
