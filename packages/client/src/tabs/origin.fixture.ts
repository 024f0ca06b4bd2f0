import type { ChannelPort, LockPort } from "../ports.js";

/** Web Locks as the specification has them: a queue for each name, and a steal that leaves the callback of the robbed running. */
export function createLocks(): LockPort & { asked: number } {
  type Request = { readonly held: () => Promise<void>; resolve(): void; reject(error: unknown): void };
  type Lock = { holder: Request | undefined; queue: Request[] };
  const locks = new Map<string, Lock>();
  const grant = (lock: Lock): void => {
    const next = lock.queue.shift();
    if (!next) return;
    lock.holder = next;
    const over = (settle: () => void): void => {
      if (lock.holder !== next) return;
      lock.holder = undefined;
      settle();
      grant(lock);
    };
    void next.held().then(
      () => over(next.resolve),
      (error: unknown) => over(() => next.reject(error)),
    );
  };
  return {
    asked: 0,
    request(name, { signal, steal }, held) {
      this.asked += 1;
      const lock = locks.get(name) ?? { holder: undefined, queue: [] };
      locks.set(name, lock);
      return new Promise<void>((resolve, reject) => {
        const request: Request = { held, resolve, reject };
        signal?.addEventListener("abort", () => {
          if (!lock.queue.includes(request)) return;
          lock.queue = lock.queue.filter((waiting) => waiting !== request);
          reject(new DOMException("aborted", "AbortError"));
        });
        if (steal) {
          lock.queue.unshift(request);
          lock.holder?.reject(new DOMException("stolen", "AbortError"));
          lock.holder = undefined;
        } else lock.queue.push(request);
        if (!lock.holder) grant(lock);
      });
    },
  };
}

/** A BroadcastChannel: every end but the sender's gets a copy. */
export function createHub(): (name: string, receive: (message: unknown) => void) => ChannelPort {
  const ends = new Map<string, Set<(message: unknown) => void>>();
  return (name, receive) => {
    const others = ends.get(name) ?? new Set();
    ends.set(name, others.add(receive));
    return {
      post: (message) =>
        [...others].filter((other) => other !== receive).forEach((other) => other(structuredClone(message))),
      close: () => void others.delete(receive),
    };
  };
}
