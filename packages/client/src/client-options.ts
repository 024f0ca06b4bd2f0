import type { Sha256 } from "@landfall/protocol";
import type { Schema } from "@landfall/schema";
import { knownOptions } from "./known-options.js";
import type { FirstSync } from "./adopt.js";
import type { Credentials } from "./loop/session.js";
import type { ClientPorts } from "./ports.js";
import type { Remote } from "./remote/port.js";
import type { ClientStorageFactory } from "./storage/port.js";

export interface ClientOptions<S extends Schema> {
  readonly schema: S;
  /** The server's address, such as `https://sync.example.org`. */
  readonly url: string;
  /** Gives a bearer token, or null while nobody is signed in. Asked at start, before expiry and on 401. */
  readonly credentials: Credentials;
  /** Whose data this is, where the token does not say so itself (a JWT's `sub` does). */
  readonly account?: string;
  /** Where data is kept: IndexedDB in a browser and memory elsewhere, unless said. */
  readonly storage?: ClientStorageFactory;
  /** Tells apart the data of several apps of one origin; "landfall" unless said. */
  readonly name?: string;
  /** What becomes of data made before signing in; "merge" unless said. */
  readonly firstSync?: FirstSync;
  /** Hears of what a person who looks after the app should know; `console.warn` unless said. */
  readonly onReport?: (code: string, message: string) => void;
  readonly remote?: Remote;
  readonly ports?: ClientPorts;
  readonly hash?: Sha256;
}

type Kind = readonly [is: (value: unknown) => boolean, what: string];

const aFunction: Kind = [(value) => typeof value === "function", "a function"];
const aText: Kind = [(value) => typeof value === "string" && value !== "", "a text"];
/** Something that is told by a member that it has. */
const having = (member: string, what: string): Kind => [
  (value) => typeof value === "object" && value !== null && member in value,
  what,
];

/** Every option there is, with its kind; what the compiler holds to be whole. */
const kinds: { readonly [name in keyof ClientOptions<Schema>]-?: Kind } = {
  schema: having("domain", "what defineSchema gives"),
  url: [
    (value) => typeof value === "string" && /^https?:\/\/[^/](?!.*\/v1\/?$)/i.test(value),
    "an address such as https://sync.example.org, without /v1",
  ],
  credentials: aFunction,
  account: aText,
  storage: having("open", "what memoryStorage() or another storage gives"),
  name: aText,
  firstSync: [(value) => ["merge", "server", "local"].includes(value as string), "merge, server or local"],
  onReport: aFunction,
  remote: having("exchange", "a Remote"),
  ports: having("net", "what platformPorts() gives"),
  hash: aFunction,
};

/**
 * Refuses what would otherwise be left out in silence, or fail later and elsewhere.
 * @throws Error
 */
export function checkOptions<S extends Schema>(options: ClientOptions<S>): void {
  const needed = { schema: undefined, url: undefined, credentials: undefined };
  knownOptions("createClient", options, Object.keys(kinds));
  for (const [name, value] of Object.entries({ ...needed, ...options })) {
    const kind = kinds[name as keyof typeof kinds];
    if ((value !== undefined || name in needed) && !kind[0](value))
      // A token is not for logs.
      throw new Error(
        `createClient needs ${name} to be ${kind[1]}, and was given ${name === "url" ? JSON.stringify(value) : typeof value}.`,
      );
  }
}
