import type {
  OpenedSpace,
  SpaceChanges,
  SpaceState,
  SpaceTransaction,
  Storage,
  StoredRecord,
  WriterState,
} from "../port.js";

/** A test of the suite: its name, and what it does with a fresh storage. */
export type WithStorage = (name: string, body: (storage: Storage) => Promise<void>) => void;

export const emptySum = "0".repeat(32);

export function stateAt(head: number, modifiedAt = head * 10): SpaceState {
  return {
    generation: "g1",
    head,
    receivedMs: modifiedAt,
    receivedCounter: 0,
    modifiedAt,
    schema: 0,
    lookups: "{}",
  };
}

export function writerAt(lastSeq: number, more: Partial<WriterState> = {}): WriterState {
  return {
    device: "d1",
    user: "ann",
    lastSeq,
    acked: 0,
    expired: 0,
    rejectedCreates: [],
    seenAt: 1,
    cursor: 0,
    ...more,
  };
}

/** A live record, or a tombstone where `fields` is null. */
export function recordAt(
  domain: string,
  key: string,
  version: number,
  fields: string | null = `{"v":${version}}`,
): StoredRecord {
  const place = { domain, key, version, modifiedAt: version * 10, createdAt: 10 };
  return fields === null
    ? { ...place, fields: undefined, stamps: undefined }
    : { ...place, fields, stamps: `{"*":"s${version}"}` };
}

export async function makeSpace(storage: Storage, space = "s1", owner = "ann"): Promise<void> {
  await storage.write(space, async (transaction) => {
    await transaction.open("d1", owner);
    await transaction.startGeneration(
      { generation: "g1", reason: "created", parent: undefined, at: 0, startedAt: 5 },
      stateAt(0),
      false,
    );
    await transaction.saveMember({ user: owner, role: "owner", since: 1 });
  });
}

/** Opens a space that must be there. */
export async function opened(
  transaction: SpaceTransaction,
  device = "d1",
  user = "ann",
): Promise<OpenedSpace> {
  const found = await transaction.open(device, user);
  if (!found) throw new Error("The space that the test made is not there.");
  return found;
}

/** Saves changes to a space in a batch of their own. */
export async function save(storage: Storage, changes: SpaceChanges, space = "s1"): Promise<void> {
  await storage.write(space, async (transaction) => {
    await opened(transaction);
    await transaction.save({ writer: writerAt(0), ...changes });
  });
}
