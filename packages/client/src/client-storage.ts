import type { RandomPort } from "@landfall/protocol";
import { storageName } from "./account.js";
import { type Clock, type Installation, openInstallation } from "./installation.js";
import type { NotePort } from "./ports.js";
import { putAccount } from "./space/space-store.js";
import { memoryStorage } from "./storage/memory.js";
import {
  type ClientStorage,
  type ClientStorageFactory,
  type StorageChange,
  StorageError,
  type StorageTable,
  storageTables,
  termName,
} from "./storage/port.js";

/** The opened storage of an account, with what it knows of this installation. */
export interface AccountStorage {
  readonly account: string;
  readonly name: string;
  readonly storage: ClientStorage;
  readonly device: string;
  /** No stamp at or below this may be issued (DESIGN §5.1). */
  readonly floorMs: number;
  readonly offsetMs: number;
  /** What is wrong with the storage, for a person; null when nothing is. */
  readonly problem: string | null;
  /** Why memory stands in for the storage, where it does: nothing that is written is safe on this device. */
  readonly refusal?: StorageError;
  /** Whether writes that no server had may be lost by it. */
  readonly unsyncedLost: boolean;
}

export const putClock = (clock: Clock): StorageChange => putAccount("clock", clock);

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

/** How many writes were noted as unsynced; undefined where nothing was noted. */
function notedPending(notes: NotePort | undefined, name: string): number | undefined {
  const note = /"pending":(\d+)/.exec(notes?.read(noteName(name)) ?? "")?.[1];
  return note === undefined ? undefined : Number(note);
}

type Loss = Pick<AccountStorage, "problem" | "unsyncedLost">;
const noLoss: Loss = { problem: null, unsyncedLost: false };
const said: readonly (readonly [StorageTable, string])[] = [
  ["inbox", "What had not been dealt with in the inbox is lost."],
  ["local", "Records that never leave this device are lost."],
];

/** What a person is told of a storage of which tables are gone: they were evicted, damaged or deleted by hand. */
function lossOf(gone: ReadonlySet<StorageTable> | undefined, pending: number | undefined): Loss {
  const isAll = gone?.size === storageTables.length;
  if (!gone?.size || (isAll && pending === undefined)) return noLoss;
  const unsynced = pending === undefined ? "Unsynced writes" : `${pending} unsynced writes`;
  const isKept = !gone.has("outbox") || pending === 0;
  const text = [
    isAll
      ? "The data stored on this device is gone: it was evicted or deleted."
      : "A part of the data stored on this device is gone: it was evicted or damaged.",
    isKept ? "Nothing unsynced was in it." : `${unsynced} were in it and are lost.`,
    ...said.flatMap(([table, sentence]) => (!isAll && gone.has(table) ? [sentence] : [])),
    "Everything else is fetched again.",
  ];
  return { problem: text.join(" "), unsyncedLost: !isKept };
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
  let gone: ReadonlySet<StorageTable> | undefined;
  let problem: string | null = null;
  let refusal: StorageError | undefined;
  let opened: Installation;
  try {
    opened = await openInstallation(options.factory, name, random, (tables) => (gone = tables));
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    refusal = error;
    problem = `${error.message} Until that is mended, data is kept in memory only and ends with this page.`;
    opened = await openInstallation(memoryStorage(), name, random);
  }
  const loss = lossOf(gone, notedPending(notes, name));
  return {
    account,
    name,
    ...opened,
    ...loss,
    // What a storage has lost is lost, also where there is no room to go on with the rest of it.
    problem: [problem, loss.problem].filter(Boolean).join(" ") || null,
    ...(refusal && { refusal }),
  };
}

/** Raises the fencing term: from here on every older leader changes nothing (DESIGN §8). */
export async function raiseTerm(storage: ClientStorage): Promise<number> {
  const standing = Number((await storage.get("meta", "", termName)) ?? 0);
  // Under the term that was read, so that of two who raise it at once only one succeeds.
  return storage.commit([putAccount(termName, standing + 1)], { space: "", term: standing }).then(
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
