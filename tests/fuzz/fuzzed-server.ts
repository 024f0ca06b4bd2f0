import { type LandfallServer, createServer, devTokens } from "@landfall/server";
import { sqlite } from "@landfall/server/storage/sqlite";
import { spaces } from "./server-inputs.js";

/** Inputs after which the spaces are emptied, so that what is stored stays small. */
const wipeEvery = 2_000;

export interface FuzzedServer {
  readonly server: LandfallServer;
  /** What the server logged as its own fault; there must be nothing. */
  readonly faults: unknown[];
  ask(path: string, method: string, body?: object, user?: string): Promise<Response>;
  /** Counts an input, and empties the spaces once in a while. @returns whether it did. */
  counted(): Promise<boolean>;
}

/** A whole server in this process, with spaces of ann's, and one of somebody else's. */
export async function fuzzedServer(): Promise<FuzzedServer> {
  const faults: unknown[] = [];
  const quiet = (): void => undefined;
  const server = createServer({
    storage: sqlite(":memory:"),
    auth: devTokens(),
    development: true,
    logger: {
      debug: quiet,
      info: quiet,
      warn: quiet,
      error: (message, fields) => void faults.push([message, fields]),
    },
    sockets: { maxSocketsPerUser: 1_000_000, headsEveryMs: 60_000 },
  });
  const ask: FuzzedServer["ask"] = (path, method, body, user = "ann") =>
    server.handler(
      new Request(`http://fuzz${path}`, {
        method,
        headers: { authorization: `Bearer dev:${user}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
  for (const space of spaces.slice(0, 2)) await ask("/v1/spaces", "POST", { space });
  await ask("/v1/spaces", "POST", { space: spaces[2] }, "carl");
  let inputs = 0;
  return {
    server,
    faults,
    ask,
    async counted() {
      inputs += 1;
      if (inputs % wipeEvery !== 0) return false;
      for (const space of spaces.slice(0, 2)) await ask(`/v1/spaces/${space}`, "DELETE");
      return true;
    },
  };
}
