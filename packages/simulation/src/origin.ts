import type { ChannelPort, LockPort, NotePort } from "@landfall/client/ports";
import type { Program } from "./program.js";
import type { RandomStream } from "./random-stream.js";

interface LockRequest {
  readonly program: Program;
  readonly held: () => Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

/** One lock of an origin: a queue, and a steal that leaves the callback of the robbed running. */
class Lock {
  #holder: LockRequest | undefined;
  #queue: LockRequest[] = [];

  add(request: LockRequest, steal: boolean): void {
    if (steal) {
      this.#queue.unshift(request);
      const robbed = this.#holder;
      this.#holder = undefined;
      robbed?.program.after(0, "lock stolen", () =>
        robbed.reject(new DOMException("The lock was stolen.", "AbortError")),
      );
    } else this.#queue.push(request);
    if (!this.#holder) this.#grant();
  }

  /** Ends a wait. @returns whether the request was waiting. */
  withdraw(request: LockRequest): boolean {
    if (!this.#queue.includes(request)) return false;
    this.#queue = this.#queue.filter((other) => other !== request);
    return true;
  }

  /** A program is gone, and with it all that it held and waited for. */
  end(program: Program): void {
    this.#queue = this.#queue.filter((request) => request.program !== program);
    if (this.#holder?.program !== program) return;
    this.#holder = undefined;
    this.#grant();
  }

  #grant(): void {
    const next = this.#queue.shift();
    if (!next) return;
    this.#holder = next;
    const over = (settle: () => void): void => {
      if (this.#holder !== next || !next.program.alive) return;
      this.#holder = undefined;
      settle();
      this.#grant();
    };
    next.program.after(0, "lock", () => {
      if (this.#holder !== next) return;
      next.held().then(
        () => over(() => next.resolve()),
        (error: unknown) =>
          over(() => next.reject(error instanceof Error ? error : new Error(String(error)))),
      );
    });
  }
}

interface End {
  readonly program: Program;
  readonly receive: (message: unknown) => void;
}

/**
 * A copy of a message as a channel makes it. What tabs send is plain, and is copied so faster; the rest the platform
 * copies. Rows and events are frozen through and through by then, for they lie on a disk: no copy would differ.
 */
function cloned(value: unknown): unknown {
  if (typeof value !== "object" || value === null)
    return typeof value === "function" ? structuredClone(value) : value;
  const shape: unknown = Object.getPrototypeOf(value);
  if ((shape === Object.prototype || shape === Array.prototype) && Object.isFrozen(value)) return value;
  if (shape === Object.prototype) {
    const copy: { [name: string]: unknown } = {};
    for (const name of Object.keys(value)) copy[name] = cloned((value as { [name: string]: unknown })[name]);
    return copy;
  }
  if (shape === Array.prototype) return (value as unknown[]).map(cloned);
  if (shape === Map.prototype) {
    const copy = new Map<unknown, unknown>();
    for (const [key, member] of value as Map<unknown, unknown>) copy.set(cloned(key), cloned(member));
    return copy;
  }
  if (shape === Set.prototype) return new Set([...(value as Set<unknown>)].map(cloned));
  return structuredClone(value);
}

/** What the tabs of one device share besides the storage: locks, channels and notes, as a browser's origin has them. */
export class Origin {
  readonly #locks = new Map<string, Lock>();
  readonly #channels = new Map<string, Set<End>>();
  readonly #notes = new Map<string, string>();

  constructor(readonly random: RandomStream) {}

  locks(program: Program): LockPort {
    return {
      request: (name, { signal, steal }, held) => {
        let lock = this.#locks.get(name);
        if (!lock) this.#locks.set(name, (lock = new Lock()));
        const asked = lock;
        return new Promise<void>((resolve, reject) => {
          const request: LockRequest = { program, held, resolve, reject };
          signal?.addEventListener("abort", () => {
            if (asked.withdraw(request)) reject(new DOMException("The wait was ended.", "AbortError"));
          });
          if (program.alive) asked.add(request, steal === true);
        });
      },
    };
  }

  channel(program: Program): (name: string, receive: (message: unknown) => void) => ChannelPort {
    return (name, receive) => {
      const ends = this.#channels.get(name) ?? new Set<End>();
      const own: End = { program, receive };
      this.#channels.set(name, ends.add(own));
      let lastMs = 0;
      return {
        post: (message) => {
          if (!program.alive) return;
          const { queue } = program;
          lastMs = Math.max(lastMs, queue.nowMs + this.random.fraction() * 4);
          for (const end of ends) {
            if (end === own || !end.program.alive) continue;
            // A copy each, as a real channel makes: what one tab does to a message is its own affair.
            const copy = cloned(message);
            end.program.after(lastMs - queue.nowMs, "tab message", () => {
              if (ends.has(end)) end.receive(copy);
            });
          }
        },
        close: () => void ends.delete(own),
      };
    };
  }

  notes(program: Program): NotePort {
    return {
      read: (name) => this.#notes.get(name) ?? null,
      write: (name, text) => {
        if (!program.alive) return;
        if (text === null) this.#notes.delete(name);
        else this.#notes.set(name, text);
      },
    };
  }

  /** A program is gone: its locks are free, and its channels closed. */
  end(program: Program): void {
    for (const lock of this.#locks.values()) lock.end(program);
    for (const ends of this.#channels.values())
      for (const end of [...ends]) if (end.program === program) ends.delete(end);
  }

  forgetNotes(): void {
    this.#notes.clear();
  }

  /** The same notes on another device. */
  copyNotesTo(other: Origin): void {
    for (const [name, text] of this.#notes) other.#notes.set(name, text);
  }
}
