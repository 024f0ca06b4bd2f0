import {
  type TimerPort,
  decodeText,
  serverMessage,
  socketCloseCodes,
  socketProtocol,
} from "@landfall/protocol";
import type { SocketLike } from "../ports.js";
import type { PokeChannel, PokeListener } from "./port.js";

/** How long the server may take to welcome. */
const welcomeMs = 30_000;
/** A server says `heads` every 30 s to who watches; a line that is silent for three of them is dead, whatever TCP believes. */
const silenceMs = 95_000;
/** Longer than any message of the server: a delta's rows are bounded, and so is what may be watched. */
const maxMessageChars = 4_194_304;

/** Opens a socket for pokes (DESIGN §6.1). The token goes in the first message, never into the address. */
export function openPokes(
  webSocket: (url: string, protocol: string) => SocketLike,
  timers: TimerPort,
  url: string,
  hello: { readonly token: string; readonly device: string },
  listener: PokeListener,
): PokeChannel {
  let socket: SocketLike | undefined;
  let welcomed = false;
  let watched: { readonly [space: string]: readonly string[] } = {};
  let opened = false;
  let cancelTimer = (): void => undefined;

  /** Ends the socket once; says so unless it was our own wish. */
  const end = (message?: string, code?: number): void => {
    cancelTimer();
    const ended = socket;
    socket = undefined;
    if (!ended) return;
    ended.close();
    if (message !== undefined)
      listener.closed({ unauthorized: code === socketCloseCodes.unauthorized, message });
  };
  const expectWord = (): void => {
    cancelTimer();
    if (!socket) return;
    if (!welcomed || Object.keys(watched).length > 0)
      cancelTimer = timers.after(welcomed ? silenceMs : welcomeMs, () => end("The socket fell silent."));
  };
  const say = (message: object): void => {
    // A socket that is still opening says hello and what is watched by itself.
    if (socket && opened) socket.send(JSON.stringify(message));
  };
  socket = webSocket(url, socketProtocol);
  expectWord();
  socket.onopen = () => {
    opened = true;
    say({ type: "hello", ...hello });
    say({ type: "watch", spaces: watched });
  };
  socket.onmessage = ({ data }) => {
    if (!socket) return;
    const decoded =
      typeof data === "string" && data.length <= maxMessageChars && decodeText(serverMessage, data);
    if (!decoded || !decoded.ok) return end("The socket brought something that is not of this protocol.");
    const message = decoded.value;
    const first = message?.type === "welcome" && !welcomed;
    welcomed ||= first;
    expectWord();
    if (first) listener.open();
    if (message) listener.message(message);
  };
  // A close event follows, with all that a browser tells of an error.
  socket.onerror = () => undefined;
  socket.onclose = ({ code, reason }) => end(reason || `The socket was closed (${code}).`, code);
  return {
    watch(spaces) {
      watched = spaces;
      say({ type: "watch", spaces });
      expectWord();
    },
    auth(token) {
      hello = { ...hello, token };
      say({ type: "auth", token });
    },
    close: () => end(),
  };
}
