import { createNet } from "#net";
import type { ClientPorts, NotePort } from "./ports.js";

/** A timer's delay is a signed 32-bit number; a longer one would fire at once. */
const maxTimerMs = 2 ** 31 - 1;

/** All of them reach the global of a page or worker; a page that is seen again may have slept through a change. */
const hints = ["online", "offline", "pageshow", "visibilitychange"];

/** localStorage, which a browser may refuse at any call. */
const notes: NotePort = {
  read(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  },
  write(name, text) {
    try {
      if (text === null) localStorage.removeItem(name);
      else localStorage.setItem(name, text);
    } catch {
      // A note is a help for noticing loss, and its absence says nothing.
    }
  },
};

/** The ports of the platform that this runs on: a browser, a worker or Node. */
export function platformPorts(): ClientPorts {
  const { navigator } = globalThis as { navigator?: Partial<Navigator> };
  const locks = navigator?.locks;
  return {
    clock: { now: () => Date.now() },
    uptime: { now: () => performance.now() },
    random: { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
    timers: {
      after(delayMs, run) {
        const timer = setTimeout(run, Math.min(delayMs, maxTimerMs));
        return () => clearTimeout(timer);
      },
    },
    net: createNet(),
    locks: locks && { request: (name, options, held) => locks.request(name, options, () => held()) },
    channel:
      typeof BroadcastChannel === "undefined"
        ? undefined
        : (name, receive) => {
            const channel = new BroadcastChannel(name);
            channel.onmessage = (event: MessageEvent<unknown>) => receive(event.data);
            // A channel does not keep a Node process alive.
            (channel as { unref?: () => void }).unref?.();
            return { post: (message) => channel.postMessage(message), close: () => channel.close() };
          },
    notes: typeof window === "undefined" ? undefined : notes,
    online: {
      isOnline: () => navigator?.onLine !== false,
      subscribe(listen) {
        // Node has no such events on its global.
        const target: Partial<EventTarget> = globalThis;
        for (const hint of hints) target.addEventListener?.(hint, listen);
        return () => hints.forEach((hint) => target.removeEventListener?.(hint, listen));
      },
    },
  };
}
