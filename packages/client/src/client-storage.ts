import { type RandomPort, randomUuid } from "@landfall/protocol";
import { storageName } from "./account.js";
import type { NotePort } from "./ports.js";
import { memoryStorage } from "./storage/memory.js";
import {
  type ClientStorage,
  type ClientStorageFactory,
  FencedError,
  type StorageChange,
  StorageError,
  termName,
} from "./storage/port.js";

/** The opened storage of an account, with what it knows of this installation. */
export interface AccountStorage {
  readonly account: string;
  readonly name: string;
  readonly storage: ClientStorage;
  readonly factory: ClientStorageFactory;
  readonly device: string;
  /** No stamp at or below this may be issued (DESIGN §5.1). */
  readonly floorMs: number;
  readonly offsetMs: number;
  /** What is wrong with the storage, for a person; null when nothing is. */
  readonly problem: string | null;
}

interface Clock {
  readonly reservedMs: number;
  readonly offsetMs: number;
}

const put = (a: string, value: unknown): StorageChange => ({
  type: "put",
  table: "meta",
  space: "",
  a,
  b: "",
  value,
});
export const putDevice = (device: string): StorageChange => put("device", device);
export const putClock = (clock: Clock): StorageChange => put("clock", clock);

const noteName = (name: string): string => `landfall:${name}`;

/** Notes how much would be lost if the storage went. */
export function noteStorage(
  notes: NotePort | undefined,
  opened: Pick<AccountStorage, "name" | "device" | "storage">,
  pending: number,
): void {
  if (opened.storage.persistent)
    notes?.write(noteName(opened.name), JSON.stringify({ device: opened.device, pending }));
}

export function forgetStorage(notes: NotePort | undefined, name: string): void {
  notes?.write(noteName(name), null);
}

/** What was noted of a storage that is empty now: it was evicted, or deleted by hand. */
function lossNoted(notes: NotePort | undefined, name: string): string | null {
  const note = notes?.read(noteName(name));
  if (!note) return null;
  const pending = /"pending":(\d+)/.exec(note)?.[1] ?? "0";
  const lost =
    pending === "0" ? "Nothing unsynced was in it." : `${pending} unsynced writes were in it and are lost.`;
  return `The data stored on this device is gone: it was evicted or deleted. ${lost} Everything else is fetched again.`;
}

/**
 * Opens an account's storage; where the platform's cannot be opened, one in memory stands in and says so
 * (DESIGN §8).
 */
export async function openAccount(options: {
  readonly factory: ClientStorageFactory;
  readonly app: string;
  readonly account: string;
  readonly random: RandomPort;
  readonly notes: NotePort | undefined;
}): Promise<AccountStorage> {
  const { app, account, random, notes } = options;
  const name = storageName(app, account);
  let { factory } = options;
  let problem: string | null = null;
  let opened: Installation;
  try {
    opened = await openInstallation(factory, name, random);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    problem = `${error.message} Until that is mended, data is kept in memory only and ends with this page.`;
    factory = memoryStorage();
    opened = await openInstallation(factory, name, random);
  }
  const { isNew, ...installation } = opened;
  if (isNew && installation.storage.persistent) problem ??= lossNoted(notes, name);
  return { account, name, factory, ...installation, problem };
}

interface Installation extends Pick<AccountStorage, "storage" | "device" | "floorMs" | "offsetMs"> {
  readonly isNew: boolean;
}

/** Opens a storage, and makes it an installation where it is empty. @throws StorageError */
async function openInstallation(
  factory: ClientStorageFactory,
  name: string,
  random: RandomPort,
): Promise<Installation> {
  const storage = await factory.open(name);
  try {
    // Read before the device is: whoever makes the installation meanwhile raises it.
    const standing = Number((await storage.get("meta", "", termName)) ?? 0);
    const [device, clock] = await Promise.all([
      storage.get("meta", "", "device"),
      storage.get("meta", "", "clock"),
    ]);
    const { reservedMs = 0, offsetMs = 0 } = (clock ?? {}) as Partial<Clock>;
    const known = { storage, floorMs: reservedMs, offsetMs };
    if (typeof device === "string") return { ...known, device, isNew: false };
    return { ...known, ...(await makeInstallation(storage, randomUuid(random), standing)) };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/**
 * Gives an empty storage its device id. Of tabs that find it empty at the same time only one may: seqs are counted
 * by device (DESIGN rule 3), so all of them must be the same one.
 */
async function makeInstallation(
  storage: ClientStorage,
  created: string,
  standing: number,
): Promise<Pick<Installation, "device" | "isNew">> {
  try {
    await storage.commit([putDevice(created), put(termName, standing + 1)], { space: "", term: standing });
    return { device: created, isNew: true };
  } catch (error) {
    if (!(error instanceof FencedError)) throw error;
    const device = await storage.get("meta", "", "device");
    if (typeof device !== "string") throw error;
    return { device, isNew: false };
  }
}

/** Raises the fencing term: from here on every older leader changes nothing (DESIGN §8). */
export async function raiseTerm(storage: ClientStorage): Promise<number> {
  const standing = Number((await storage.get("meta", "", termName)) ?? 0);
  // Under the term that was read, so that of two who raise it at once only one succeeds.
  return storage.commit([put(termName, standing + 1)], { space: "", term: standing }).then(
    () => standing + 1,
    (error: unknown) => {
      // Without room for a term there is none to raise; syncing under the one that stands is what may make room.
      if (error instanceof StorageError && error.code === "full") return standing;
      throw error;
    },
  );
}

const lastAccount = (app: string): string => `landfall:${app}:account`;

/** Whose data was open last: what an offline start shows before it can be asked who somebody is. */
export const readLastAccount = (notes: NotePort | undefined, app: string): string | undefined =>
  notes?.read(lastAccount(app)) ?? undefined;
export const writeLastAccount = (notes: NotePort | undefined, app: string, account: string | null): void =>
  notes?.write(lastAccount(app), account);
