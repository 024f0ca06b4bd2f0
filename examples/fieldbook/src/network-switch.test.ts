import { type ClientPorts, type SocketLike, platformPorts } from "@landfall/client";
import { expect, test } from "vitest";
import { switchedPorts } from "./network-switch.js";

function world() {
  let off = false;
  const listeners = new Set<() => void>();
  const signals: AbortSignal[] = [];
  const closed: SocketLike[] = [];
  const net: ClientPorts["net"] = {
    fetch: (_url, { signal }) =>
      new Promise((_resolve, reject) => {
        signals.push(signal as AbortSignal);
        signal?.addEventListener("abort", () => reject(signal.reason as Error));
      }),
    webSocket: () => {
      const socket: SocketLike = {
        onopen: null,
        onmessage: null,
        onclose: null,
        onerror: null,
        send: () => undefined,
        close: () => closed.push(socket),
      };
      return socket;
    },
  };
  const platform = {
    ...platformPorts(),
    net,
    online: { isOnline: () => true, subscribe: () => () => undefined },
  };
  const network = {
    isOff: () => off,
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const turn = (next: boolean): void => {
    off = next;
    for (const listener of [...listeners]) listener();
  };
  return { ports: switchedPorts(platform, network), turn, closed };
}

test("off, nothing is sent and nothing under way goes on", async () => {
  const { ports, turn } = world();
  const underWay = ports.net.fetch("/", {});
  turn(true);
  await expect(underWay).rejects.toThrow(TypeError);
  await expect(ports.net.fetch("/", {})).rejects.toThrow(TypeError);
  expect(() => ports.net.webSocket?.("/", "p")).toThrow(TypeError);
  expect(ports.online.isOnline()).toBe(false);
});

test("off, an open socket is closed at once and heard no more", () => {
  const { ports, turn, closed } = world();
  const socket = ports.net.webSocket?.("/", "p") as SocketLike;
  const heard: string[] = [];
  socket.onmessage = () => heard.push("message");
  socket.onclose = () => heard.push("close");
  turn(true);
  socket.onmessage?.({ data: "late" });
  expect(heard).toEqual(["close"]);
  expect(closed).toEqual([socket]);
});

test("on again, it tells whoever waits for the network, and requests go out", async () => {
  const { ports, turn } = world();
  const seen: boolean[] = [];
  ports.online.subscribe(() => seen.push(ports.online.isOnline()));
  turn(true);
  turn(false);
  expect(seen).toEqual([false, true]);
  const underWay = ports.net.fetch("/", {});
  turn(true);
  await expect(underWay).rejects.toThrow("offline switch");
});
