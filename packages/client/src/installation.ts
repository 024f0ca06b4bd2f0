import { type RandomPort, randomUuid } from "@landfall/protocol";
import { type PendingEvent, renumbered } from "./replica/pending-event.js";
import { type ReplicaMeta, emptyMeta, loadMeta, putAccount, putEvent, putMeta } from "./space/space-store.js";
import {
  type ClientStorage,
  type ClientStorageFactory,
  FencedError,
  type StorageChange,
  type StorageError,
  type StorageTable,
  storageTables,
  termName,
} from "./storage/port.js";

/** What the device knows of the time: no stamp up to `reservedMs` may be issued again. */
export interface Clock {
  readonly reservedMs: number;
  readonly offsetMs: number;
}

/** A storage as it was opened. */
export interface Installation {
  readonly storage: ClientStorage;
  readonly device: string;
  readonly floorMs: number;
  readonly offsetMs: number;
}

/** The `a` of the entry in which each table names the device that it belongs to: a table without it is gone, not empty. */
export const deviceName = "device";

/** Gives the whole storage to a device. */
export const putDevice = (device: string): StorageChange[] =>
  storageTables.map((table) => putAccount(deviceName, device, table));

/**
 * Opens a storage, and makes it an installation where it is empty. Where tables of it are gone, what is left is brought
 * to a state that is whole: base is fetched again, and nothing that is still pending is lost (DESIGN rule 8).
 * @param found hears which tables are gone of a storage that should have kept them, also where it then has no room to be
 * brought to that state; what it hears last is so.
 * @throws StorageError
 */
export async function openInstallation(
  factory: ClientStorageFactory,
  name: string,
  random: RandomPort,
  found?: (gone: ReadonlySet<StorageTable>) => void,
): Promise<Installation> {
  const storage = await factory.open(name);
  try {
    return await look(storage, random, found);
  } catch (error) {
    await storage.close();
    throw error;
  }
}

async function look(
  storage: ClientStorage,
  random: RandomPort,
  found?: (gone: ReadonlySet<StorageTable>) => void,
): Promise<Installation> {
  // Read before the marks are: whoever makes or mends the installation meanwhile raises it.
  const standing = Number((await storage.get("meta", "", termName)) ?? 0);
  const [clock, ...devices] = await Promise.all([
    storage.get("meta", "", "clock"),
    ...storageTables.map((table) => storage.get(table, "", deviceName)),
  ]);
  const marks = new Map(storageTables.map((table, at) => [table, devices[at] as string | undefined]));
  const gone = new Set(storageTables.filter((table) => marks.get(table) === undefined));
  const { reservedMs = 0, offsetMs = 0 } = (clock ?? {}) as Partial<Clock>;
  const known = { storage, floorMs: reservedMs, offsetMs };
  const before = marks.get("meta") ?? marks.get("outbox");
  if (storage.persistent) found?.(gone);
  if (gone.size === 0) return { ...known, device: before as string };
  // Seqs are counted by device, in `meta` and in the outbox: with either of them gone, the count is.
  const device = before === undefined || gone.has("meta") || gone.has("outbox") ? randomUuid(random) : before;
  const changes = gone.size === storageTables.length ? [] : await mend(storage, gone, { device, before });
  try {
    // Of tabs that find it so at the same time only one may: all of them must be the same device.
    const fence = { space: "", term: standing };
    await storage.commit([...changes, ...putDevice(device), putAccount(termName, standing + 1)], fence);
  } catch (error) {
    if (error instanceof FencedError) return look(storage, random, found);
    // Where there is no room, what needs no mend goes on as it is, and is found like this again.
    if (device !== before || gone.has("rows") || (error as StorageError).code !== "full") throw error;
  }
  return { ...known, device };
}

/** What makes the spaces whole that have lost tables. @param before the device that the outbox was numbered for. */
async function mend(
  storage: ClientStorage,
  gone: ReadonlySet<StorageTable>,
  { device, before = device }: { readonly device: string; readonly before: string | undefined },
): Promise<StorageChange[]> {
  const isBaseGone = gone.has("rows") || gone.has("meta");
  const changes: StorageChange[] = [];
  for (const space of await storage.spaces()) {
    if (space === "") continue;
    // Rows without their cursors are a state that nobody can name.
    if (isBaseGone) changes.push({ type: "clear", table: "rows", space });
    changes.push(...(await giveSpace(storage, space, { device, before, isBaseGone })));
  }
  return changes;
}

/** Gives a space that is not open to a device, which may be the one that it belongs to, with its base or without. */
export async function giveSpace(
  storage: ClientStorage,
  space: string,
  {
    device,
    before,
    isBaseGone,
  }: { readonly device: string; readonly before: string; readonly isBaseGone: boolean },
): Promise<StorageChange[]> {
  const stored = await loadMeta(storage, space);
  const events = (await storage.entries("outbox", space)).map(({ value }) => value as PendingEvent);
  const generation = events.at(-1)?.generation;
  // What is pending is of the history that it names: whatever became of that, the server is to say (DESIGN rule 12).
  const meta = stored ?? (generation === undefined ? undefined : { ...emptyMeta, device, generation });
  const changes = meta ? [putMeta(space, mendedMeta(meta, device, isBaseGone))] : [];
  const from = stored?.device ?? before;
  const numbered = from === device ? events : renumbered(events, from, stored?.nextSeq ?? 1);
  for (const event of numbered) changes.push(putEvent(space, isBaseGone ? unconfirmed(event) : event));
  return changes;
}

/** What a confirmed event did was in base, which is gone. */
function unconfirmed({ confirmed: _confirmed, ...event }: PendingEvent): PendingEvent {
  return event;
}

function mendedMeta({ syncedAt, ...meta }: ReplicaMeta, device: string, isBaseGone: boolean): ReplicaMeta {
  return {
    ...meta,
    ...(meta.device === device ? {} : { device, nextSeq: 1 }),
    ...(isBaseGone ? { cursors: {} } : syncedAt !== undefined && { syncedAt }),
    revision: meta.revision + 1,
  };
}
