import {
  type OfferOp,
  RejectedError,
  type Stamp,
  makeStamp,
  maxStampCounter,
  stampReading,
  stampTail,
} from "@landfall/protocol";
import type { Core } from "../core.js";
import type { GenerationStart } from "../storage/port.js";

/** The time in which a restored space takes back what it has lost (DESIGN rule 12). Milliseconds of the server's clock. */
export interface RecoveryWindow {
  readonly generation: string;
  /** When the newest history began: nothing that is offered is newer than that. */
  readonly startedAt: number;
  readonly until: number;
}

/** The window of a space as it is now; undefined where it was not restored last, or the time is over. @param history newest first. */
export function recoveryWindow(core: Core, history: readonly GenerationStart[]): RecoveryWindow | undefined {
  const newest = history[0];
  if (newest?.reason !== "restored") return undefined;
  const until = newest.startedAt + core.recoveryMs;
  if (core.clock.now() >= until) return undefined;
  return {
    generation: newest.generation,
    startedAt: newest.startedAt,
    until: Math.min(until, Number.MAX_SAFE_INTEGER),
  };
}

/** Whether one of the events of a request offers a row back, as far as that can be seen before they are decoded. */
export function offersRows(events: readonly { readonly raw: unknown }[]): boolean {
  return events.some(({ raw }) => {
    const { ops } = raw as { readonly ops?: unknown };
    return Array.isArray(ops) && ops.some((op: { readonly op?: unknown } | null) => op?.op === "offer");
  });
}

/**
 * An offered row as it may be merged. What it says of itself is older than the restore, as all that was lost is: so it
 * never wins over what was written since, whoever made it up, and every device that offers it offers the same.
 *
 * @throws RejectedError `recovery_over`
 */
export function admitOffer(op: OfferOp, window: RecoveryWindow | undefined): OfferOp {
  if (!window)
    throw new RejectedError(
      "recovery_over",
      `The space takes nothing back now, so ${op.key} cannot be offered to it.`,
    );
  const { startedAt } = window;
  if ("deletedAt" in op) return op.deletedAt <= startedAt ? op : { ...op, deletedAt: startedAt };
  const stamps: Record<string, Stamp> = {};
  for (const [field, stamp] of Object.entries(op.stamps)) stamps[field] = notAfter(stamp, startedAt);
  return { ...op, stamps };
}

function notAfter(stamp: Stamp, ms: number): Stamp {
  return stampReading(stamp).ms <= ms ? stamp : makeStamp(ms, maxStampCounter, stampTail(stamp));
}
