import { LandfallError } from "../../landfall-error.js";
import { jsonReply } from "../call.js";
import type { Endpoint } from "../service.js";

/** `GET /healthz`: the process answers. */
export const healthz: Endpoint = () => Promise.resolve(jsonReply(200, '{"status":"ok"}'));

/** `GET /readyz`: the server takes requests, and its storage answers a read. */
export const readyz: Endpoint = async ({ accepting, engine }) => {
  if (!accepting()) throw new LandfallError("unavailable", "The server is closing.", { retryAfterMs: 5_000 });
  try {
    // Nobody has this id, which no authenticator can give: the read touches the tables and finds nothing.
    await engine.mayRead({ id: "" }, "readyz");
  } catch (cause) {
    throw new LandfallError("unavailable", "The storage does not answer.", { retryAfterMs: 5_000, cause });
  }
  return jsonReply(200, '{"status":"ready"}');
};

/** `GET /metrics`: counts for Prometheus; no names of spaces or people are among them. */
export const metrics: Endpoint = ({ metrics, engine, openSockets }) =>
  Promise.resolve({
    status: 200,
    headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    body: metrics.exposition(engine.stats(), openSockets(), process.memoryUsage.rss()),
  });
