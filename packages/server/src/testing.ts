import type { Schema } from "@landfall/schema";
import { devTokens } from "./auth/dev-tokens.js";
import { type LandfallServer, type ListeningServer, createServer } from "./create-server.js";
import type { TxOf } from "./options.js";
import type { ServerOptions } from "./server-options.js";
import { type SqliteStorage, sqlite } from "./storage/sqlite.js";

export interface TestServer<T> extends ListeningServer {
  readonly server: LandfallServer<T>;
  /** What the server keeps things in; has doors of its own for tests. */
  readonly storage: SqliteStorage;
  /** The bearer token that signs in as this user. */
  token(user: string): string;
}

/** What may be set of a server for tests. */
export type TestServerOptions<S extends Schema | undefined = undefined> = Partial<
  Omit<ServerOptions<S>, "storage">
> & { readonly storage?: SqliteStorage };

/**
 * Starts a server for tests: in memory, on a free port of this machine, with development tokens.
 * Anything may be set otherwise, the storage too: a file for tests that restart.
 */
export async function startTestServer<S extends Schema | undefined = undefined>(
  options: TestServerOptions<S> = {},
): Promise<TestServer<TxOf<S>>> {
  const storage = options.storage ?? sqlite(":memory:");
  const server = createServer<S>({ auth: devTokens(), development: true, ...options, storage });
  const listening = await server.listen(0, "127.0.0.1");
  return { ...listening, server, storage, token: (user) => `dev:${user}` };
}
