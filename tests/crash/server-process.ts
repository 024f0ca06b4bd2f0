import { writeSync } from "node:fs";
import { createServer, devTokens } from "@landfall/server";
import { sqlite } from "@landfall/server/storage/sqlite";
import { schema } from "./write-numbered.js";

// A server as a process of its own: says where it listens, and serves until it is killed.

const [, , file = "", port = "0"] = process.argv;
const server = createServer({ schema, storage: sqlite(file), auth: devTokens(), development: true });
const listening = await server.listen(Number(port), "127.0.0.1");
writeSync(1, `${JSON.stringify({ port: listening.port })}\n`);
