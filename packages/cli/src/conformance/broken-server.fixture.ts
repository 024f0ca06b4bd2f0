import { type IncomingMessage, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";

/** A request on its way to the server. */
export interface Call {
  method: string;
  path: string;
  headers: { [name: string]: string };
  body: Buffer;
}

/** An answer on its way back. */
export interface Reply {
  status: number;
  headers: Headers;
  text: string;
}

/** A way in which a server can be wrong, made by changing what goes to a right one and what comes back. */
export interface Tampering {
  request?(call: Call): void;
  answer?(reply: Reply, call: Call): void;
  /** A message from the client. */
  up?(message: Loose): void;
  /** A message to the client; false keeps it back. */
  down?(message: Loose): boolean | void;
  /** The code that a socket is closed with. */
  close?(code: number): number;
  readonly compress?: boolean;
}

/** JSON that a tampering takes apart as it likes. */
export interface Loose {
  [name: string]: unknown;
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const passed = ["authorization", "content-type", "content-encoding", "accept", "if-none-match"];

/** Stands before a server, as a server that is wrong in one way. */
export async function startBrokenServer(
  target: string,
  fault: Tampering,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    const forward = async (): Promise<void> => {
      const headers: { [name: string]: string } = {};
      for (const name of passed) {
        const value = incoming.headers[name];
        if (typeof value === "string") headers[name] = value;
      }
      const call: Call = {
        method: incoming.method ?? "GET",
        path: incoming.url ?? "/",
        headers,
        body: await bodyOf(incoming),
      };
      fault.request?.(call);
      const answer = await fetch(target + call.path, {
        method: call.method,
        headers: call.headers,
        ...(call.body.length === 0 ? {} : { body: call.body as unknown as string }),
      });
      const reply: Reply = {
        status: answer.status,
        headers: new Headers(answer.headers),
        text: await answer.text(),
      };
      fault.answer?.(reply, call);
      for (const name of ["content-length", "connection", "keep-alive", "transfer-encoding"])
        reply.headers.delete(name);
      outgoing.writeHead(reply.status, Object.fromEntries(reply.headers));
      outgoing.end(reply.text);
    };
    forward().catch((error: unknown) => outgoing.writeHead(502).end(String(error)));
  });
  const sockets = new WebSocketServer({
    server,
    path: "/v1/socket",
    perMessageDeflate: fault.compress === true,
  });
  sockets.on("connection", (near) => join(near, target, fault));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets.clients) socket.terminate();
        sockets.close();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function join(near: WebSocket, target: string, fault: Tampering): void {
  const far = new WebSocket(`${target.replace("http", "ws")}/v1/socket`, "landfall.v1");
  const waiting: string[] = [];
  near.on("message", (data) => {
    let text = (data as Buffer).toString("utf8");
    try {
      const message = JSON.parse(text) as Loose;
      fault.up?.(message);
      text = JSON.stringify(message);
    } catch {
      // What is no JSON goes on as it is.
    }
    if (far.readyState === WebSocket.OPEN) far.send(text);
    else waiting.push(text);
  });
  far.on("open", () => {
    for (const text of waiting) far.send(text);
  });
  far.on("message", (data) => {
    const message = JSON.parse((data as Buffer).toString("utf8")) as Loose;
    if (fault.down?.(message) !== false) near.send(JSON.stringify(message));
  });
  far.on("close", (code) => near.close(fault.close?.(code) ?? code));
  near.on("close", () => far.terminate());
  far.on("error", () => near.terminate());
}
