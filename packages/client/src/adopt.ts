import type { Stamp } from "@landfall/protocol";
import type { PendingEvent, PendingExpectation } from "./replica/pending-event.js";
import { rejectedItems } from "./space/settlement.js";
import { emptyMeta, loadMeta, putEntry, putEvent, putItem, putMeta } from "./space/space-store.js";
import { type ClientStorage, type StorageChange, type StorageEntry, isLost } from "./storage/port.js";

/**
 * What becomes of data that was made before signing in (DESIGN §8). `merge`: it is sent with the stamps that
 * it was made with, so newer writes of the account stand. `local`: it is stamped anew and wins. `server`: it
 * goes to the inbox and the account's data stands.
 */
export type FirstSync = "merge" | "server" | "local";

/** The `a` of the `meta` entries that say which stamp each of a guest's events is adopted under. */
const adoptedAs = "adoptedAs";

/**
 * Moves a guest's unsynced data into an account's storage; nothing is lost whatever the choice.
 * @returns whether there was anything, so that the guest's storage is gone.
 */
export async function adoptGuest(
  guest: ClientStorage,
  account: ClientStorage,
  how: FirstSync,
  nextStamp: () => Stamp,
): Promise<boolean> {
  let isAdopted = false;
  try {
    let adopted: ReadonlySet<string> | undefined;
    const isTaken = ({ space, a }: StorageEntry): boolean => space === "" || adopted?.has(a) === true;
    // What another tab writes meanwhile, as a guest still, is taken over too.
    do adopted = await takeOver(guest, account, how, nextStamp);
    while (adopted && !(await guest.destroy((outbox) => outbox.every(isTaken))));
    isAdopted = adopted !== undefined;
  } catch (error) {
    // Another tab has adopted it.
    if (!isLost(error)) throw error;
  }
  await guest.close();
  return isAdopted;
}

/** Copies what a guest has, in one transaction there. @returns the events; undefined where there is nothing at all. */
async function takeOver(
  guest: ClientStorage,
  account: ClientStorage,
  how: FirstSync,
  nextStamp: () => Stamp,
): Promise<ReadonlySet<string> | undefined> {
  const events = new Set<string>();
  const spaces = (await guest.spaces()).filter((space) => space !== "");
  const changes: StorageChange[] = [];
  for (const space of spaces) {
    const [[outbox = [], local = [], inbox = []], theirs, ours] = await Promise.all([
      guest.snapshot(["outbox", "local", "inbox"], space),
      loadMeta(guest, space),
      loadMeta(account, space),
    ]);
    const newIds =
      how === "local"
        ? await stampAnew(
            guest,
            space,
            outbox.map(({ a }) => a),
            nextStamp,
          )
        : new Map<string, Stamp>();
    if (!ours) changes.push(putMeta(space, { ...emptyMeta, ...(theirs?.create ? { create: true } : {}) }));
    for (const { a, value } of outbox) {
      events.add(a);
      const { seq: _seq, was: _was, ...event } = value as PendingEvent;
      if (how === "server") {
        const { schema } = event;
        const reason = "Written before signing in, and the account's data was chosen.";
        for (const item of rejectedItems(event, "not_adopted", reason, "parked"))
          changes.push(putItem(space, schema === undefined ? item : { ...item, schema }));
      } else changes.push(putEvent(space, renamed(event, newIds)));
    }
    for (const { a, b, value } of local) changes.push(putEntry("local", space, a, b, value));
    for (const { a, b, value } of inbox) changes.push(putEntry("inbox", space, a, b, value));
  }
  if (changes.length > 0) await account.commit(changes);
  return spaces.length > 0 ? events : undefined;
}

/**
 * Gives each event the stamp that it is adopted under. The guest's storage keeps it: an adoption that is cut
 * short and begun again must not bring the same writes under other ids (DESIGN rule 3).
 */
async function stampAnew(
  guest: ClientStorage,
  space: string,
  ids: readonly string[],
  nextStamp: () => Stamp,
): Promise<ReadonlyMap<string, Stamp>> {
  const kept = (await guest.entries("meta", space)).filter(({ a }) => a === adoptedAs);
  const newIds = new Map(kept.map(({ b, value }) => [b, value as Stamp]));
  const added = ids.filter((id) => !newIds.has(id));
  for (const id of added) newIds.set(id, nextStamp());
  if (added.length > 0)
    await guest.commit(added.map((id) => putEntry("meta", space, adoptedAs, id, newIds.get(id))));
  return newIds;
}

/** The event under its new id, and so the own events that it waits for. */
function renamed(event: PendingEvent, newIds: ReadonlyMap<string, Stamp>): PendingEvent {
  const id = newIds.get(event.id) ?? event.id;
  if (!event.expect) return { ...event, id };
  const expect = event.expect.map(([domain, key, version]): PendingExpectation => [
    domain,
    key,
    typeof version === "number" ? version : { event: newIds.get(version.event) ?? version.event },
  ]);
  return { ...event, id, expect };
}
