import { writeSync } from "node:fs";
import { createServer, devTokens } from "@landfall/server";
import { sqlite } from "@landfall/server/storage/sqlite";
import { schema } from "./write-numbered.js";

// A server as a process of its own: says where it listens, and serves until it is killed.

/** What a server process is told. */
export interface ServerArguments {
  readonly file: string;
  /** 0 for any. */
  readonly port: number;
  readonly maxBytes?: number;
  /** Its clock jumps, back and ahead, by up to this much from the true time; it does not move otherwise. */
  readonly clockJumpsMs?: number;
  /** Logs nothing: what it would complain of is what the test does to it. */
  readonly quiet?: boolean;
}

const silent = (): void => undefined;

const { file, port, maxBytes, clockJumpsMs, quiet } = JSON.parse(process.argv[2] ?? "") as ServerArguments;
let offsetMs = 0;
if (clockJumpsMs !== undefined) {
  const jump = (): void => void (offsetMs = Math.round((Math.random() * 2 - 1) * clockJumpsMs));
  jump();
  setInterval(jump, 70);
}
const server = createServer({
  schema,
  storage: sqlite(file, maxBytes === undefined ? {} : { maxBytes }),
  auth: devTokens(),
  development: true,
  ...(quiet === true && { logger: { debug: silent, info: silent, warn: silent, error: silent } }),
  clock: { now: () => Date.now() + offsetMs },
});
const listening = await server.listen(port, "127.0.0.1");
writeSync(1, `${JSON.stringify({ port: listening.port })}\n`);
