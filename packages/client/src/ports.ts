import type { ClockPort, RandomPort, TimerPort } from "@landfall/protocol";

/** What of a WebSocket is used; the platform's own class has this shape. */
export interface SocketLike {
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** What of a `Response` is used; the platform's own class has this shape. */
export interface NetAnswer {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** Null or absent where answers cannot be streamed, or there is nothing; then `text` is asked. */
  readonly body: {
    getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }> };
  } | null;
  text(): Promise<string>;
}

export interface NetPort {
  fetch(url: string, init: RequestInit): Promise<NetAnswer>;
  /** Absent where the platform has no sockets: the client polls then. */
  readonly webSocket?: ((url: string, protocol: string) => SocketLike) | undefined;
}

/** Locks shared by all tabs of an origin (the Web Locks API). */
export interface LockPort {
  /**
   * Waits for the exclusive lock of that name and keeps it until the promise of `held` settles.
   * `steal` takes it from whoever has it.
   * @throws the abort reason when `signal` ends the wait; an AbortError when the lock was stolen.
   */
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    held: () => Promise<void>,
  ): Promise<void>;
}

/** One end of a channel between the tabs of an origin; a message reaches every end but the sender's. */
export interface ChannelPort {
  post(message: unknown): void;
  close(): void;
}

/** What the platform believes about the network: a hint, never trusted alone. */
export interface OnlinePort {
  isOnline(): boolean;
  /** Calls when the network came or went, and when the page is seen again. Returns what ends it. */
  subscribe(listen: () => void): () => void;
}

/** What is kept outside the storage and outlives it (localStorage). */
export interface NotePort {
  read(name: string): string | null;
  /** Null takes the note away. What cannot be written is not written. */
  write(name: string, text: string | null): void;
}

/** Everything outside that a client touches (DESIGN rule 11). */
export interface ClientPorts {
  /** Wall time: may be wrong, jump or stand still. */
  readonly clock: ClockPort;
  /** Milliseconds since some start; never goes back. All pacing goes by it, so that a wrong clock stops nothing. */
  readonly uptime: ClockPort;
  readonly random: RandomPort;
  readonly timers: TimerPort;
  readonly net: NetPort;
  /** Absent where there is only ever one process at the storage. */
  readonly locks?: LockPort | undefined;
  readonly channel?: ((name: string, receive: (message: unknown) => void) => ChannelPort) | undefined;
  readonly online: OnlinePort;
  /** A few bytes beside the storage, so that its loss is noticed; absent where there is no such place. */
  readonly notes?: NotePort | undefined;
}
