import { type ServerMessage, serverMessage, socketProtocol } from "@landfall/protocol";
import { WebSocket } from "ws";
import { parsed, read } from "./caller.js";
import { Departure } from "./check.js";

const maxFrameBytes = 1_000_000;

type MessageOf<T extends ServerMessage["type"]> = Extract<ServerMessage, { readonly type: T }>;

/** The kit's end of a socket: what came, in order, and how it was closed. */
export class SocketEnd {
  readonly #socket: WebSocket;
  readonly #messages: ServerMessage[] = [];
  #fault: Error | undefined;
  #closed: number | undefined;
  #wake: () => void = () => undefined;

  private constructor(
    socket: WebSocket,
    readonly patienceMs: number,
  ) {
    this.#socket = socket;
    socket.on("message", (data) => {
      try {
        const text = (data as Buffer).toString("utf8");
        const message = read(
          serverMessage,
          "a message of the socket",
          parsed("a message of the socket", text),
        );
        if (message !== undefined) this.#messages.push(message);
      } catch (error) {
        this.#fault ??= error as Error;
      }
      this.#wake();
    });
    socket.on("close", (code) => {
      this.#closed = code;
      this.#wake();
    });
  }

  /** @throws Departure where the server takes no socket. */
  static open(url: string, patienceMs: number): Promise<SocketEnd> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/socket`, socketProtocol, {
        perMessageDeflate: true,
        handshakeTimeout: patienceMs,
        maxPayload: maxFrameBytes,
      });
      const end = new SocketEnd(socket, patienceMs);
      socket.once("open", () => resolve(end));
      socket.on("error", (error) => reject(new Departure(`no socket can be opened: ${error.message}`)));
    });
  }

  /** Whether the server agreed to compress, which it must not. */
  get compressed(): boolean {
    return this.#socket.extensions !== "";
  }

  /** The subprotocol that the server chose. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The next message of a type that is told of one space, or of all; others are passed over. @throws Departure */
  async next<T extends ServerMessage["type"]>(
    type: T,
    wanted: (message: MessageOf<T>) => boolean = () => true,
    withinMs = this.patienceMs,
  ): Promise<MessageOf<T>> {
    const found = await this.first(
      (message) => message.type === type && wanted(message as MessageOf<T>),
      withinMs,
    );
    if (found === undefined)
      throw new Departure(
        this.#closed === undefined
          ? `no ${type} that was to come came over the socket in ${withinMs} ms`
          : `the socket was closed with ${this.#closed} before the ${type} that was to come`,
      );
    return found as MessageOf<T>;
  }

  /** The first message that fits, taken out with all before it; undefined when none comes in time. */
  async first(
    wanted: (message: ServerMessage) => boolean,
    withinMs: number,
  ): Promise<ServerMessage | undefined> {
    let found: ServerMessage | undefined;
    await this.#until(() => {
      const at = this.#messages.findIndex(wanted);
      if (at >= 0) found = this.#messages.splice(0, at + 1).at(-1);
      return at >= 0 || this.#closed !== undefined;
    }, withinMs);
    return found;
  }

  /** The code that the server closes with. @throws Departure when it does not. */
  async closed(): Promise<number> {
    await this.#until(() => this.#closed !== undefined, this.patienceMs);
    if (this.#closed === undefined) throw new Departure("the server leaves the socket open");
    return this.#closed;
  }

  async #until(done: () => boolean, withinMs: number): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, withinMs);
    try {
      for (;;) {
        if (this.#fault) throw this.#fault;
        if (done() || late) return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#socket.terminate();
  }
}
