import type { IncomingMessage } from "node:http";
import type { Schema } from "@landfall/schema";
import type { Authenticator } from "./auth/authenticator.js";
import type { CrossOrigin } from "./http/cross-origin.js";
import type { ListenerTimeouts } from "./http/node-listener.js";
import type { HubLimits } from "./hub/hub.js";
import { refuseUnknown } from "./known-options.js";
import type { Authorize, EngineOptions, ServerActions, TxOf } from "./options.js";

export interface SocketLimits extends HubLimits {
  /** Sockets of one address; 256 unless set (DESIGN §13). A /64 of IPv6 is one address. */
  readonly maxSocketsPerAddress?: number;
}

export interface ServerTimeouts extends ListenerTimeouts {
  /** How long `close` waits for requests that run; 10 s unless set. */
  readonly closeGraceMs?: number;
}

export interface ServerOptions<S extends Schema | undefined = undefined> extends Omit<
  EngineOptions,
  "schema" | "authorize" | "actions"
> {
  readonly schema?: S;
  readonly authorize?: Authorize<TxOf<S>>;
  /** What runs on the server in place of the schema's action of that name, after the same check of its arguments. */
  readonly actions?: ServerActions<S>;
  readonly auth: Authenticator;
  /** Lets `devTokens()` sign anyone in, and listens on this machine only unless told otherwise; `landfall dev` sets it. */
  readonly development?: boolean;
  /** Which web pages may use the server: `{ origins: "*" }` unless set; `false` says nothing to browsers. */
  readonly crossOrigin?: CrossOrigin | false;
  /** Answers what is not under /v1, health or metrics: `staticFiles(folder)`, or an app of your own. */
  readonly fallback?: (request: Request) => Response | Promise<Response>;
  readonly sockets?: SocketLimits;
  readonly timeouts?: ServerTimeouts;
  /** Bytes of request bodies held at once over all requests; 128 MiB unless set. */
  readonly maxHeldBodyBytes?: number;
  /** Seconds that clients are asked to stay away for, as `Landfall-Backoff`; asked for each answer. */
  readonly backoffSeconds?: () => number | undefined;
  /** The address that a socket is counted under, where a proxy stands before the server. */
  readonly clientAddress?: (request: IncomingMessage) => string | undefined;
}

/** Every option there is; what the compiler holds to be whole. */
const known: { readonly [name in keyof ServerOptions]-?: true } = {
  storage: true,
  schema: true,
  auth: true,
  authorize: true,
  actions: true,
  development: true,
  crossOrigin: true,
  fallback: true,
  sockets: true,
  timeouts: true,
  maxHeldBodyBytes: true,
  backoffSeconds: true,
  clientAddress: true,
  limits: true,
  retention: true,
  recoveryMs: true,
  modifiedAtTickMs: true,
  name: true,
  logger: true,
  clock: true,
  random: true,
  timers: true,
  hash: true,
};

/** Clients, which look every 32 s, take a socket for dead after 64 to 96 s without a word. */
const maxHeadsEveryMs = 60_000;

/** The same of the options that have members of their own. */
const knownMembers: {
  readonly [name in "limits" | "retention" | "sockets" | "timeouts"]: {
    readonly [member in keyof NonNullable<ServerOptions[name]>]-?: true;
  };
} = {
  limits: {
    maxEventsPerRequest: true,
    maxBodyBytes: true,
    maxBatchBytes: true,
    maxPageRows: true,
    maxRowsPerSpace: true,
    maxPageBytes: true,
    actionBudgetMs: true,
  },
  retention: { tombstonesMs: true, outcomesMs: true, everyMs: true },
  sockets: {
    maxSocketsPerAddress: true,
    maxSocketsPerUser: true,
    helloTimeoutMs: true,
    headsEveryMs: true,
    maxBufferedBytes: true,
    maxMessagesPerSecond: true,
  },
  timeouts: { closeGraceMs: true, headersTimeoutMs: true, requestTimeoutMs: true, idleTimeoutMs: true },
};

/**
 * Refuses what would otherwise be left out in silence: with `authorise` for `authorize`, everybody could do everything.
 * @throws Error
 */
export function checkOptions(options: object): void {
  refuseUnknown("createServer", options, known);
  for (const [name, members] of Object.entries(knownMembers))
    refuseUnknown(name, (options as Record<string, object | undefined>)[name] ?? {}, members);
  const { storage, auth, schema, actions, crossOrigin, sockets } = options as Partial<ServerOptions<Schema>>;
  if (crossOrigin) checkOrigins(crossOrigin);
  checkHeads(sockets?.headsEveryMs);
  if (typeof storage?.onCommit !== "function")
    throw new Error(
      `createServer needs a storage, such as sqlite("landfall.db"), and was given ${storage === undefined ? "none" : typeof storage}.`,
    );
  if (typeof auth !== "function")
    throw new Error(
      "createServer needs auth, the function that says whom a token stands for, and was given none: jwt({ secret }), " +
        "jwks({ url, issuer, audience }), a function of your own, or for development devTokens().",
    );
  if (schema !== undefined && typeof schema?.domain !== "function")
    throw new Error("createServer needs schema to be what defineSchema gives, or to be left out.");
  // Without a schema nobody has said which there are.
  const declared = schema?.actions;
  const strange = declared ? Object.keys(actions ?? {}).filter((name) => !Object.hasOwn(declared, name)) : [];
  if (strange.length > 0)
    throw new Error(
      `The schema has no action ${strange.map((name) => JSON.stringify(name)).join(", ")} for the server to run in its place.`,
    );
}

/**
 * What an installed app or an extension of a browser has for an origin, such as `capacitor://localhost`. `URL` knows the
 * origins of the web alone.
 */
const appOrigin = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[^/?#@*\s]+$/;

/** Compared letter by letter with what browsers send: an origin with a path, or a slash at its end, would match none. */
function checkOrigins(crossOrigin: CrossOrigin): void {
  const { origins } = crossOrigin;
  if (origins !== "*" && !Array.isArray(origins))
    throw new Error(
      'crossOrigin needs origins, "*" or a list such as ["https://app.example.org"], or is false.',
    );
  refuseUnknown("crossOrigin", crossOrigin, { origins: true });
  for (const origin of origins === "*" ? [] : origins) {
    const written = URL.canParse(origin) ? new URL(origin).origin : "null";
    if (written !== origin && !(written === "null" && appOrigin.test(origin)))
      throw new Error(
        `crossOrigin.origins: browsers write no origin as ${JSON.stringify(origin)}. ` +
          (written === "null"
            ? "Give one such as https://app.example.org."
            : `Give ${JSON.stringify(written)}.`),
      );
  }
}

function checkHeads(headsEveryMs = 1): void {
  if (!(headsEveryMs >= 1 && headsEveryMs <= maxHeadsEveryMs))
    throw new Error(
      `sockets.headsEveryMs must be from 1 to ${maxHeadsEveryMs}, and is ${headsEveryMs}: ` +
        "clients take a socket that says nothing for longer for dead, and open another.",
    );
}
