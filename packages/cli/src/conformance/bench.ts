import { type Info, createSpaceAnswer, infoAnswer } from "@landfall/protocol";
import { Caller } from "./caller.js";
import { Skipped } from "./check.js";
import { Device } from "./device.js";
import { SocketEnd } from "./socket-end.js";
import { unguessable } from "./stamps.js";

/** The domains that the kit writes to; a server with a schema need not know them. */
export const domain = "conformance";
export const otherDomain = "conformance-other";

export interface BenchOptions {
  readonly url: string;
  readonly token: string;
  readonly secondToken?: string;
  readonly now: () => number;
  readonly patience?: Patience;
}

/** How long the kit waits for what a server says of itself, in ms. */
export interface Patience {
  /** For what comes at once: news, a welcome, a close. */
  readonly newsMs: number;
  /** For what comes with the next `heads`, every 30 s. */
  readonly headsMs: number;
  /** For what must not come. */
  readonly quietMs: number;
}

const patient: Patience = { newsMs: 10_000, headsMs: 40_000, quietMs: 1_000 };

/** What a check works with: callers, and spaces of its own that are emptied afterwards. */
export class Bench {
  readonly first: Caller;
  readonly #second: Caller | undefined;
  readonly patience: Patience;
  readonly #now: () => number;
  readonly #spaces: string[] = [];
  readonly #sockets: SocketEnd[] = [];
  /** What the server's clock says more than this machine's, in ms. */
  #skewMs = 0;

  constructor(options: BenchOptions) {
    this.#now = options.now;
    this.patience = options.patience ?? patient;
    this.first = new Caller(options.url, options.token);
    this.#second =
      options.secondToken === undefined ? undefined : new Caller(options.url, options.secondToken);
  }

  /** Learns who the tokens are, and what the server's clock says. @throws Departure */
  async open(): Promise<Info> {
    const info = await this.first.get(infoAnswer, 200, "/v1/info");
    this.first.user = info.user;
    this.#skewMs = info.time - this.#now();
    if (this.#second) this.#second.user = (await this.#second.get(infoAnswer, 200, "/v1/info")).user;
    return info;
  }

  /** The server's time, about. */
  readonly nowMs = (): number => this.#now() + this.#skewMs;

  /** Somebody else. @throws Skipped */
  get second(): Caller {
    if (this.#second === undefined || this.#second.user === this.first.user)
      throw new Skipped("This needs two people. Give the token of another user with --second-token.");
    return this.#second;
  }

  /** A new space of the first caller's. */
  async space(): Promise<{ readonly space: string; readonly generation: string }> {
    const asked = { space: unguessable("conformance") };
    const { space, generation } = await this.first.get(createSpaceAnswer, 201, "/v1/spaces", { json: asked });
    this.#spaces.push(space);
    return { space, generation };
  }

  /** Notes a space that a check made by itself. */
  made(space: string): void {
    this.#spaces.push(space);
  }

  /** A device in a new space. @param clock the time that its stamps are made from; the server's unless given. */
  async device(clock: () => number = this.nowMs): Promise<Device> {
    const { space, generation } = await this.space();
    return new Device(this.first, space, generation, clock);
  }

  /** Another device in the same space. */
  beside(device: Device, clock: () => number = this.nowMs, caller: Caller = device.caller): Device {
    return new Device(caller, device.space, device.generation, clock);
  }

  /** Makes a user a member of a space. */
  async admit(space: string, user: string, role: string): Promise<void> {
    const path = `/v1/spaces/${space}/members/${encodeURIComponent(user)}`;
    const { status, text } = await this.first.ask(path, { method: "PUT", json: { role } });
    if (status !== 200)
      throw new Skipped(`Nobody else can be made a member: ${status} ${text.slice(0, 200)}`);
  }

  /** A socket, closed when the check ends. */
  async socket(): Promise<SocketEnd> {
    const socket = await SocketEnd.open(this.first.url, this.patience.newsMs);
    this.#sockets.push(socket);
    return socket;
  }

  /** A socket that has been welcomed. */
  async welcomed(caller: Caller, device: string): Promise<SocketEnd> {
    const socket = await this.socket();
    socket.send({ type: "hello", token: caller.token, device });
    await socket.next("welcome");
    return socket;
  }

  closeSockets(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  /**
   * Empties the spaces that the checks made, and takes the second person out of them: an id lives on, and
   * nothing that was written does. @returns how many could not be emptied.
   */
  async cleanUp(): Promise<number> {
    let left = 0;
    for (const space of this.#spaces.splice(0)) {
      const user = this.#second?.user ?? "";
      if (user !== "")
        await this.first
          .ask(`/v1/spaces/${space}/members/${encodeURIComponent(user)}`, { method: "DELETE" })
          .catch(() => undefined);
      const answer = await this.first.ask(`/v1/spaces/${space}`, { method: "DELETE" }).catch(() => undefined);
      if (answer?.status !== 200) left += 1;
    }
    return left;
  }
}
