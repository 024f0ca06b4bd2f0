import { type EchoTrace, type Slot, slotName } from "../apply/working-set.js";
import type { OpenedSpace, SpaceState } from "../storage/port.js";

/** What the events of one request did to rows, for leaving them out of its answer (DESIGN §6, own echo). */
export interface OwnEcho {
  /** By `slotName`. */
  readonly rows: ReadonlyMap<string, EchoTrace>;
  /** Where the space stood before and after them, if the device can work out all of `rows`. */
  readonly step:
    | {
        /** The domains of `rows`, with their heads before. */
        readonly before: ReadonlyMap<string, number>;
        readonly generation: string;
        readonly head: number;
      }
    | undefined;
}

export const noEcho: OwnEcho = { rows: new Map(), step: undefined };

/** @param head the space's after the events. */
export function ownEcho(opened: OpenedSpace, slots: Iterable<Slot>, head: number): OwnEcho {
  const rows = new Map<string, EchoTrace>();
  const before = new Map<string, number>();
  let computable = true;
  for (const { domain, key, echo } of slots) {
    if (!echo) continue;
    rows.set(slotName(domain, key), echo);
    computable &&= echo.computable;
    if (!before.has(domain))
      before.set(domain, opened.domains.find((state) => state.domain === domain)?.head ?? 0);
  }
  return { rows, step: computable ? { before, generation: opened.state.generation, head } : undefined };
}

/**
 * Whether all that lies after these cursors is in `rows`, and need not be read: nobody else has written to the domains
 * between the cursors and the events, nor to the space since.
 *
 * @param behind the domains that moved after their cursors, with these.
 * @param now the space as it is read.
 */
export function isAllOwn(
  { rows, step }: OwnEcho,
  behind: readonly { readonly domain: string; readonly after: number }[],
  now: SpaceState,
): boolean {
  if (rows.size === 0 || step?.head !== now.head || step.generation !== now.generation) return false;
  if (behind.length !== step.before.size) return false;
  return behind.every(({ domain, after }) => (step.before.get(domain) ?? Infinity) <= after);
}
