import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TimerPort } from "@landfall/protocol";
import { AnswersUnderWay } from "./answers-under-way.js";
import { LandfallError } from "../landfall-error.js";
import type { Logger } from "../logger.js";
import { CallerGone } from "./body.js";
import type { Call, Reply } from "./call.js";
import { callOfIncoming, requestOfIncoming, sendReply, sendResponse } from "./node-edge.js";
import { problemReply, rawProblem } from "./problem.js";
import { isOurs } from "./routes.js";

/** How long Node waits for what a client is slow to send. */
export interface ListenerTimeouts {
  /** Until the head of a request is whole; 10 s unless set. */
  readonly headersTimeoutMs?: number;
  /** Until the request is whole; 60 s unless set, which is a full batch over a line of 18 kB/s. */
  readonly requestTimeoutMs?: number;
  /** Until a connection on which nothing moves is closed, an answer that nobody reads included; 120 s unless set. */
  readonly idleTimeoutMs?: number;
}

/** What answers requests of Node's. */
export interface NodeEdge {
  readonly api: (call: Call) => Promise<Reply>;
  /** Answers what is not the server's own; 404 without it. */
  readonly fallback: ((request: Request) => Response | Promise<Response>) | undefined;
  readonly timers: TimerPort;
  readonly logger: Logger;
}

export interface ListenerOptions extends NodeEdge {
  readonly timeouts: ListenerTimeouts;
}

/** A Node HTTP server of our making. */
export interface Listener {
  readonly server: Server;
  /** Takes no more, lets requests that run finish for so long, then cuts every connection. */
  close(graceMs: number): Promise<void>;
}

/** A Node HTTP server, not yet listening, whose requests go the same way as those of the handler. */
export function createListener(options: ListenerOptions): Listener {
  const { headersTimeoutMs = 10_000, requestTimeoutMs = 60_000, idleTimeoutMs = 120_000 } = options.timeouts;
  const server = createServer({
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // How often Node looks for the slow ones; its own 30 s would triple the shortest wait above.
    connectionsCheckingInterval: Math.max(50, Math.min(1_000, headersTimeoutMs / 4)),
    keepAliveTimeout: Math.min(30_000, idleTimeoutMs),
    noDelay: true,
  });
  server.timeout = idleTimeoutMs;
  const answering = new WeakMap<Duplex, ServerResponse>();
  const answers = new AnswersUnderWay();
  const handle = (incoming: IncomingMessage, response: ServerResponse): void => {
    answering.set(incoming.socket, response);
    answerIncoming(options, answers, incoming, response);
  };
  server.on("request", handle);
  // Without this, Node tells the caller to go on before anybody has looked at the size that it declared.
  server.on("checkContinue", handle);
  server.on("clientError", (error: Error & { code?: string }, socket) => {
    const response = answering.get(socket);
    const midAnswer = response !== undefined && response.headersSent && !response.writableFinished;
    if (!socket.writable || error.code === "ECONNRESET" || midAnswer) socket.destroy();
    else socket.end(refusalOf(error.code), () => socket.destroy());
  });
  return {
    server,
    close: (graceMs) =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Node keeps connections on which nothing was asked yet; once no request runs, all may go.
        void answers.finish(graceMs, options.timers).then(() => server.closeAllConnections());
      }),
  };
}

/** Answers a request of Node's. Never throws: an answer that breaks off is cut. */
export function answerIncoming(
  edge: NodeEdge,
  answers: AnswersUnderWay,
  incoming: IncomingMessage,
  response: ServerResponse,
): void {
  answers.add(response);
  serve(edge, incoming, response).catch((error: unknown) => {
    const gone = error instanceof CallerGone || response.destroyed;
    response.destroy();
    if (!gone) edge.logger.error("An answer broke off.", { error });
  });
}

async function serve(options: NodeEdge, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const call = callOfIncoming(incoming, response);
  if (options.fallback === undefined || isOurs(call.path)) {
    await sendReply(await options.api(call), incoming, response, options.timers);
    return;
  }
  let request: Request;
  try {
    request = requestOfIncoming(incoming, call.signal());
  } catch {
    const refused = problemReply(
      new LandfallError("invalid_request", "The address or the method is not one that HTTP has."),
    );
    await sendReply(refused, incoming, response, options.timers);
    return;
  }
  let answer: Response;
  try {
    answer = await options.fallback(request);
  } catch (error) {
    options.logger.error("The app's own handler failed.", { error });
    const failed = problemReply(new LandfallError("internal", "The server failed. Send the request again."));
    await sendReply(failed, incoming, response, options.timers);
    return;
  }
  await sendResponse(answer, call.method === "HEAD", response);
}

/** What is said to a connection that did not bring a request in time, or brought something else. */
function refusalOf(code: string | undefined): string {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return rawProblem("timeout", "The request did not arrive in time.");
  if (code === "HPE_HEADER_OVERFLOW") {
    return rawProblem(
      "too_large",
      "The head of the request is too large.",
      "431 Request Header Fields Too Large",
    );
  }
  return rawProblem("invalid_request", "The request is not HTTP/1.1.");
}

/** Starts to listen. @throws what Node says when the port is taken or forbidden. */
export function listen(server: Server, port: number, host: string | undefined): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve(server.address() as AddressInfo);
    });
  });
}
