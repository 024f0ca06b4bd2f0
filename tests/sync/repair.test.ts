import { memoryStorage } from "@landfall/client/storage/memory";
import type { ClientStorageFactory, StorageChange } from "@landfall/client/storage/port";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Device, type NoteSpace, type Place, bytesOf, openPlace, settle, space } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

/** What is stored for one device, found by its rows: the storage names accounts as the client does. */
async function damage(
  factory: ClientStorageFactory,
  changes: readonly StorageChange[],
  name: string,
): Promise<void> {
  const storage = await factory.open(name);
  await storage.commit(changes);
  await storage.close();
}

/** Remembers the names that a storage is opened under. */
function watched(inner: ClientStorageFactory): { factory: ClientStorageFactory; names: Set<string> } {
  const names = new Set<string>();
  return {
    names,
    factory: {
      kind: inner.kind,
      open(name) {
        names.add(name);
        return inner.open(name);
      },
    },
  };
}

const rowOf = (site: NoteSpace, key: string, text: string, version: number): StorageChange => ({
  type: "put",
  table: "rows",
  space,
  a: "note",
  b: key,
  value: {
    domain: "note",
    key,
    version,
    modifiedAt: 1_795_000_000_000,
    fields: { text },
    stamps: { "*": `019a3b9e-4c00-7000-8123-${String(site.note.all().length).padStart(12, "0")}` },
  },
});

/** A device whose stored rows are changed behind its back while it is closed. */
async function damaged(
  count: number,
  change: (site: NoteSpace, stored: Map<string, object>) => readonly StorageChange[],
): Promise<{ device: Device; site: NoteSpace; right: NoteSpace; other: Device }> {
  const { factory, names } = watched(memoryStorage());
  const first = place.device({ storage: factory });
  const before = await first.open();
  for (let n = 0; n < count; n++) before.note.create({ text: `note ${n}` }, { key: `n${n}` });
  const other = place.device();
  const right = await other.open();
  await settle(first, other);
  const stored = new Map<string, object>();
  for (const name of names) {
    const storage = await factory.open(name);
    for (const { b, value } of await storage.entries("rows", space)) stored.set(b, value as object);
  }
  const changes = change(before, stored);
  await first.client.close();
  for (const name of names) if (name.includes("ann")) await damage(factory, changes, name);
  const device = place.device({ storage: factory });
  return { device, site: await device.open(), right, other };
}

describe("rule 10: replicas that differ", () => {
  it("rule 10: rows that are missing, damaged or were never there are found and mended, one by one, and the app is told", async () => {
    const { device, site, right, other } = await damaged(1_500, (before, stored) => [
      { type: "delete", table: "rows", space, a: "note", b: "n3" },
      { type: "delete", table: "rows", space, a: "note", b: "n1499" },
      {
        type: "put",
        table: "rows",
        space,
        a: "note",
        b: "n700",
        value: { ...stored.get("n700"), fields: { text: "damaged" } },
      },
      rowOf(before, "ghost", "never confirmed", 12),
    ]);
    expect(site.note.get("n700")?.text).toBe("damaged");
    await device.client.sync();
    place.time.pass(1_000);
    await expect.poll(() => device.client.status.spaces[space]?.repairedRows).toBe(4);
    expect(bytesOf(site)).toBe(bytesOf(right));
    expect(device.reports).toEqual(["digest_differs", "repaired"]);
    // What had been shown as confirmed does not vanish in silence.
    expect(site.inbox.current.map(({ kind, key }) => `${kind} ${key}`)).toEqual(["lost ghost"]);

    // It is mended on the disk too, the digests agree, and what is pending goes on.
    site.note.update("n700", { text: "edited" });
    await settle(device, other);
    place.time.pass(1_000);
    await place.time.settled();
    expect(device.reports).toEqual(["digest_differs", "repaired"]);
    expect(bytesOf(site)).toBe(bytesOf(right));
    expect(device.client.status.spaces[space]).toMatchObject({ repairing: [], reason: "" });
  });

  it("rule 10: a server that cannot compare leaves the domain to be fetched again", async () => {
    const { device, site, right } = await damaged(40, () => [
      { type: "delete", table: "rows", space, a: "note", b: "n3" },
    ]);
    device.refuse("/v1/reconcile");
    await device.client.sync();
    place.time.pass(1_000);
    await expect.poll(() => device.reports.length).toBeGreaterThanOrEqual(2);
    await expect.poll(() => bytesOf(site)).toBe(bytesOf(right));
    expect(device.reports).toEqual(["digest_differs", "digest_differs"]);
  });
});
