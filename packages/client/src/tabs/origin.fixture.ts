import type { ChannelPort, LockPort } from "../ports.js";

/** Web Locks as the specification has them: a queue, and a steal that leaves the callback of the robbed running. */
export function createLocks(): LockPort & { asked: number } {
  type Request = { readonly held: () => Promise<void>; resolve(): void; reject(error: unknown): void };
  let holder: Request | undefined;
  let queue: Request[] = [];
  const grant = (): void => {
    const next = queue.shift();
    if (!next) return;
    holder = next;
    const over = (settle: () => void): void => {
      if (holder !== next) return;
      holder = undefined;
      settle();
      grant();
    };
    void next.held().then(
      () => over(next.resolve),
      (error: unknown) => over(() => next.reject(error)),
    );
  };
  return {
    asked: 0,
    request(_name, { signal, steal }, held) {
      this.asked += 1;
      return new Promise<void>((resolve, reject) => {
        const request: Request = { held, resolve, reject };
        signal?.addEventListener("abort", () => {
          if (!queue.includes(request)) return;
          queue = queue.filter((waiting) => waiting !== request);
          reject(new DOMException("aborted", "AbortError"));
        });
        if (steal) {
          queue.unshift(request);
          holder?.reject(new DOMException("stolen", "AbortError"));
          holder = undefined;
        } else queue.push(request);
        if (!holder) grant();
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
