import type { ClientPorts, SocketLike } from "@landfall/client";

/** Whether a person has cut this device off. */
export interface NetworkSwitch {
  isOff(): boolean;
  subscribe(listener: () => void): () => void;
}

/**
 * Ports through which nothing goes while the switch is off: requests fail, those under way are broken off,
 * and open sockets are closed, as when a cable is pulled.
 */
export function switchedPorts(ports: ClientPorts, network: NetworkSwitch): ClientPorts {
  const sockets = new Set<SocketLike>();
  let cut = new AbortController();
  network.subscribe(() => {
    if (!network.isOff()) return;
    cut.abort(new TypeError("The offline switch was turned on."));
    cut = new AbortController();
    for (const socket of [...sockets]) pull(socket);
  });

  function pull(socket: SocketLike): void {
    sockets.delete(socket);
    const { onclose } = socket;
    // What still comes while the socket closes is not heard.
    Object.assign(socket, { onopen: null, onmessage: null, onclose: null, onerror: null });
    socket.close();
    onclose?.({ code: 1006, reason: "" });
  }
  function refuse(): void {
    if (network.isOff()) throw new TypeError("The offline switch is on.");
  }
  const { net, online } = ports;
  return {
    ...ports,
    net: {
      async fetch(url, init) {
        refuse();
        const signal = init.signal ? AbortSignal.any([init.signal, cut.signal]) : cut.signal;
        return net.fetch(url, { ...init, signal });
      },
      webSocket:
        net.webSocket &&
        ((url, protocol) => {
          refuse();
          const socket = (net.webSocket as NonNullable<typeof net.webSocket>)(url, protocol);
          sockets.add(socket);
          return socket;
        }),
    },
    online: {
      isOnline: () => !network.isOff() && online.isOnline(),
      subscribe(listen) {
        const stops = [network.subscribe(listen), online.subscribe(listen)];
        return () => stops.forEach((stop) => stop());
      },
    },
  };
}
