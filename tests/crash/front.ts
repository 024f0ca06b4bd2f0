import { type IncomingMessage, createServer, request as ask } from "node:http";
import { type AddressInfo, type Socket, connect } from "node:net";

/** What stands between the browsers and a server: it hands out the page, and passes everything else on, unless it is told not to. */
export interface Front {
  readonly url: string;
  readonly isOff: boolean;
  /** Off, it breaks off what is under way, and lets nothing through but the page. */
  turn(to: "on" | "off"): void;
  close(): Promise<void>;
}

/** @param port of the server, which may be down @param script of the page */
export async function openFront(port: number, script: string): Promise<Front> {
  let isOff = false;
  const under = new Set<Socket>();
  const track = (socket: Socket): void => {
    // One that is kept alive passes several requests.
    if (under.has(socket)) return;
    under.add(socket);
    socket.once("close", () => under.delete(socket));
    socket.on("error", () => socket.destroy());
  };
  const upstream = ({ method, url, headers }: IncomingMessage) => ({
    host: "127.0.0.1",
    port,
    method,
    path: url,
    headers,
  });
  const server = createServer((incoming, answer) => {
    if (incoming.url === "/page.js")
      return void answer.setHeader("content-type", "text/javascript").end(script);
    if (!incoming.url?.startsWith("/v1/"))
      return void answer
        .setHeader("content-type", "text/html")
        .end("<!doctype html><title>Writing</title><body><script type=module src=/page.js></script>");
    if (isOff) return void incoming.socket.destroy();
    track(incoming.socket);
    const passed = ask(upstream(incoming), (from) => {
      answer.writeHead(from.statusCode ?? 502, from.headers);
      from.pipe(answer);
      from.on("error", () => incoming.socket.destroy());
    });
    passed.on("error", () => incoming.socket.destroy());
    incoming.pipe(passed);
  });
  server.on("upgrade", (incoming, socket: Socket, head: Buffer) => {
    if (isOff) return void socket.destroy();
    const passed = connect(port, "127.0.0.1", () => {
      const lines = incoming.rawHeaders.flatMap((name, at, all) =>
        at % 2 === 0 ? [`${name}: ${all[at + 1]}`] : [],
      );
      passed.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      passed.write(head);
      passed.pipe(socket);
      socket.pipe(passed);
    });
    for (const [one, other] of [
      [socket, passed],
      [passed, socket],
    ] as const) {
      track(one);
      one.once("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    get isOff() {
      return isOff;
    },
    turn(to) {
      isOff = to === "off";
      if (isOff) for (const socket of under) socket.destroy();
    },
    async close() {
      server.closeAllConnections();
      for (const socket of under) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
