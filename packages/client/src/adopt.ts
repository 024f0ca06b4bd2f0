import type { Stamp } from "@landfall/protocol";
import type { PendingEvent } from "./replica/pending-event.js";
import { rejectedItems } from "./space/settlement.js";
import { type ReplicaMeta, emptyMeta, putEvent, putItem, putMeta } from "./space/space-store.js";
import type { ClientStorage, StorageChange } from "./storage/port.js";

/**
 * What becomes of data that was made before signing in (DESIGN §8). `merge`: it is sent with the stamps that
 * it was made with, so newer writes of the account stand. `local`: it is stamped anew and wins. `server`: it
 * goes to the inbox and the account's data stands.
 */
export type FirstSync = "merge" | "server" | "local";

/** Moves a guest's unsynced data into an account's storage, in one transaction there; nothing is lost whatever the choice. */
export async function adoptGuest(guest: ClientStorage, account: ClientStorage, how: FirstSync, nextStamp: () => Stamp): Promise<readonly string[]> {
  const spaces = (await guest.spaces()).filter((space) => space !== "");
  const changes: StorageChange[] = [];
  for (const space of spaces) {
    const [outbox, local, inbox, theirs, ours] = await Promise.all([
      guest.entries("outbox", space), guest.entries("local", space), guest.entries("inbox", space), guest.get("meta", space, "replica"), account.get("meta", space, "replica"),
    ]);
    const meta = (theirs as ReplicaMeta | undefined) ?? emptyMeta;
    if (!ours) changes.push(putMeta(space, { ...emptyMeta, ...(meta.create ? { create: true } : {}) }));
    for (const { value } of outbox) {
      const { seq: _seq, was: _was, ...event } = value as PendingEvent;
      if (how === "server") {
        const reason = "This was written before signing in, and the account's data was chosen.";
        for (const item of rejectedItems(event, "not_adopted", reason, "parked")) changes.push(putItem(space, item));
      } else changes.push(putEvent(space, how === "local" ? { ...event, id: nextStamp() } : event));
    }
    for (const { a, b, value } of local) changes.push({ type: "put", table: "local", space, a, b, value });
    for (const { a, b, value } of inbox) changes.push({ type: "put", table: "inbox", space, a, b, value });
  }
  if (changes.length > 0) await account.commit(changes);
  return spaces;
}
