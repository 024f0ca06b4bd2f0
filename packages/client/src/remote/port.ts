import type {
  ExchangeRequest,
  Info,
  Outcome,
  OutcomeRun,
  ReconcileAnswer,
  ReconcileRequest,
  Row,
  ServerMessage,
  SpaceError,
  WireDigest,
} from "@landfall/protocol";

/** The start of a space's part of an answer. */
export interface AnswerHead {
  readonly space: string;
  readonly generation: string;
  readonly schema?: number | undefined;
  readonly readableFrom?: number | undefined;
  readonly head: number;
  readonly lastSeq: number;
  readonly outcomes: readonly Outcome[];
  readonly runs?: readonly OutcomeRun[];
  readonly reset: readonly string[];
}

/** Where a space's part may be cut: everything before it is whole. */
export interface AnswerCheckpoint {
  readonly cursors: { readonly [domain: string]: number };
  readonly scan: { readonly [domain: string]: number };
}

/** The end of a space's part. */
export interface AnswerEnd extends AnswerCheckpoint {
  readonly head: number;
  readonly lastSeq: number;
  /** Whether rows are left for another request. */
  readonly more: boolean;
  readonly digests: { readonly [domain: string]: WireDigest };
  /** For each domain that the server has removed tombstones of: the version of the newest that it removed. */
  readonly horizons: { readonly [domain: string]: number };
}

/** What an exchange brings, in order; the same for a whole answer and for a streamed one. What it throws ends the exchange, and is thrown by it. */
export interface AnswerSink {
  /** The server's clock, told as early as it is known: the time since the request began bounds the error. */
  time(serverMs: number): void;
  space(head: AnswerHead): void;
  /** Rows of the space begun last, in version order. */
  rows(rows: readonly Row[]): void;
  checkpoint(checkpoint: AnswerCheckpoint): void;
  end(end: AnswerEnd): void;
  failure(space: string, error: SpaceError): void;
}

/** Why a call failed. */
export interface RemoteFailure {
  /**
   * `network`; `garbled`, where what came was not an answer of ours: a captive portal, a proxy's page, a cut-off stream;
   * else the code that the server refused with.
   */
  readonly code: string;
  readonly message: string;
  /** The server's status, where it refused. */
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  /** The network brought nothing for so long that the call was given up. */
  readonly timedOut?: boolean | undefined;
}

export class RemoteError extends Error implements RemoteFailure {
  override readonly name = "RemoteError";
  readonly code: string;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly timedOut: boolean | undefined;
  constructor({ code, message, status, retryAfterMs, timedOut }: RemoteFailure, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.timedOut = timedOut;
  }
}

export interface PokeChannel {
  /** Says again which domains of which spaces are watched; replaces what was said before. */
  watch(spaces: { readonly [space: string]: readonly string[] }): void;
  /** Renews the token. */
  auth(token: string): void;
  close(): void;
}

/** Nothing of it is called any more after `closed`, or after the channel's `close`. */
export interface PokeListener {
  open(): void;
  message(message: ServerMessage): void;
  /** The channel is gone; `unauthorized` when the token was refused, `silent` when nobody has said so, and nothing else. */
  closed(reason: {
    readonly unauthorized: boolean;
    readonly silent?: boolean;
    readonly message: string;
  }): void;
}

/** Everything that a client wants of a server (DESIGN §4): HTTP is one, a server in the same process another. */
export interface Remote {
  /**
   * One request of the write–read loop. Resolves when the whole answer has gone into the sink.
   * `backoffMs` is what `Landfall-Backoff` asked for.
   * @throws RemoteError; the sink may have had a part by then, up to the last checkpoint of which may be kept.
   */
  exchange(
    request: ExchangeRequest,
    sink: AnswerSink,
    options: { token: string; signal?: AbortSignal },
  ): Promise<{ readonly backoffMs?: number }>;
  info(token: string): Promise<Info>;
  /** One round of finding out in which rows a domain differs from the server's (DESIGN §10). @throws RemoteError */
  reconcile(request: ReconcileRequest, token: string): Promise<ReconcileAnswer>;
  /** The small tables: spaces and members. `path` begins with `/v1/`. Resolves to the decoded JSON of a 2xx answer. */
  call(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    token: string,
    body?: unknown,
  ): Promise<unknown>;
  /** Absent where the platform has no sockets: the loop polls then. */
  readonly pokes?: (hello: { token: string; device: string }, listener: PokeListener) => PokeChannel;
}
