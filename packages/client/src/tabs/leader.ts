import type { ClientPorts } from "../ports.js";

export interface LeaderOptions {
  /** Unique to the storage: tabs that share it share the lock. */
  readonly name: string;
  /** Leading begins: raise the fencing term in the storage, then start the loop. A throw gives the lead back and tries again later. */
  readonly onLead: () => Promise<void>;
  /** Follows every `onLead`, one that threw too: stop the loop. The lock is given back when this resolves, unless it was stolen. */
  readonly onLost: (reason: "closed" | "stolen") => Promise<void>;
}

export interface Leadership {
  readonly leading: boolean;
  /** Takes the lead from a leader that no longer answers; the fencing term makes that safe (DESIGN §8). */
  takeOver(): void;
  /** The storage refused this leader's term: another leads, whatever the lock says. */
  fenced(): void;
  /** Ends leading, or the wait for it. */
  close(): Promise<void>;
}

/** How long a tab that could not begin to lead leaves the lead to others. */
const retryLeadMs = 5_000;

/**
 * One leader among the tabs of an origin, by Web Locks. Without locks (Node; a page that is not served
 * securely) this one leads at once, and until a later one fences it out.
 */
export function seekLead(
  { locks, timers }: Pick<ClientPorts, "locks" | "timers">,
  { name, onLead, onLost }: LeaderOptions,
): Leadership {
  let leading = false;
  let closed = false;
  /** The newest attempt; what an earlier one still does changes nothing. */
  let abort = new AbortController();
  let release = (reason: "closed" | "stolen"): void => void reason;
  let cancelRetry = (): void => undefined;
  let running: Promise<void> = Promise.resolve();

  const lead = async (): Promise<void> => {
    if (closed) return;
    const ended = new Promise<"closed" | "stolen">((resolve) => (release = resolve));
    let reason: "closed" | "stolen" = "closed";
    try {
      await onLead();
      leading = true;
      reason = await ended;
    } finally {
      leading = false;
      await onLost(reason);
    }
  };
  const seek = async (steal: boolean): Promise<void> => {
    const mine = (abort = new AbortController());
    let held: Promise<void> | undefined;
    let retryMs = 0;
    try {
      const hold = (): Promise<void> => (held = lead());
      await (locks
        ? locks.request(`landfall-${name}`, steal ? { steal } : { signal: mine.signal }, hold)
        : hold());
    } catch {
      // Stolen, unless leading could not begin: then it is left to others for a while.
      if (held) {
        release("stolen");
        await held.catch(() => (retryMs = retryLeadMs));
      }
    }
    if (!closed && mine === abort && (locks || retryMs > 0))
      cancelRetry = timers.after(retryMs, () => begin(false));
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
    fenced: () => release("stolen"),
    async close() {
      closed = true;
      cancelRetry();
      abort.abort();
      release("closed");
      await running;
    },
  };
}
