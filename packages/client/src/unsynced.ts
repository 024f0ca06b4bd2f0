import type { PendingEvent } from "./replica/pending-event.js";
import type { SpaceSession } from "./space/space-session.js";
import type { StorageEntry } from "./storage/port.js";

/** An unsynced write, as `signOut` exports it. */
export interface UnsyncedWrite {
  readonly space: string;
  readonly event: PendingEvent;
}

/** Writes that the server has not settled: what is stored, and what the storage would not take. */
export function unsyncedWrites(
  outbox: readonly StorageEntry[],
  sessions: Iterable<SpaceSession>,
): readonly UnsyncedWrite[] {
  const found = new Map<string, UnsyncedWrite>();
  // What is of no space is the account's own.
  for (const { space, a, value } of outbox)
    if (space) found.set(`${space} ${a}`, { space, event: value as PendingEvent });
  for (const { space, outbox } of sessions)
    for (const event of outbox.events) found.set(`${space} ${event.id}`, { space, event });
  return [...found.values()];
}
