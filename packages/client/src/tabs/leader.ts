import type { ClientPorts } from "../ports.js";

export interface LeaderOptions {
  /** Unique to the storage: tabs that share it share the lock. */
  readonly name: string;
  /** Leading begins: raise the fencing term in the storage, then start the loop. A throw gives the lead back and tries again later. */
  readonly onLead: () => Promise<void>;
  /** Leading has ended: stop the loop. The lock is given back when this resolves, unless it was stolen. */
  readonly onLost: (reason: "closed" | "stolen") => Promise<void>;
}

export interface Leadership {
  readonly leading: boolean;
  /** Takes the lead from a leader that no longer answers; the fencing term makes that safe (DESIGN §8). */
  takeOver(): void;
  /** Ends leading, or the wait for it. */
  close(): Promise<void>;
}

/** How long a tab that could not begin to lead leaves the lead to others. */
const retryLeadMs = 5_000;

/**
 * One leader among the tabs of an origin, by Web Locks. Without locks (Node, one process at the
 * storage) this one leads at once.
 */
export function seekLead(ports: Pick<ClientPorts, "locks" | "timers">, options: LeaderOptions): Leadership {
  let leading = false;
  let closed = false;
  let release = (): void => undefined;
  let abort = new AbortController();
  let cancelRetry = (): void => undefined;
  let running: Promise<void> = Promise.resolve();

  const lead = async (): Promise<void> => {
    if (closed) return;
    const ended = new Promise<void>((resolve) => (release = resolve));
    await options.onLead();
    leading = true;
    await ended;
    leading = false;
    await options.onLost("closed");
  };
  const seek = async (steal: boolean): Promise<void> => {
    abort = new AbortController();
    try {
      await (ports.locks ? ports.locks.request(`landfall-${options.name}`, steal ? { steal } : { signal: abort.signal }, lead) : lead());
    } catch {
      const stolen = leading;
      leading = false;
      if (stolen) await options.onLost("stolen");
      if (!closed) cancelRetry = ports.timers.after(stolen ? 0 : retryLeadMs, () => begin(false));
    }
  };
  const begin = (steal: boolean): void => {
    running = seek(steal);
  };
  begin(false);
  return {
    get leading() {
      return leading;
    },
    takeOver() {
      if (leading || closed) return;
      cancelRetry();
      abort.abort();
      begin(true);
    },
    async close() {
      closed = true;
      cancelRetry();
      abort.abort();
      release();
      await running;
    },
  };
}
