import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Place, openPlace } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

/** What no server takes, and every one takes. */
const keys = {
  bad: ["", "a/b", "a b", "é", "__proto__", "x".repeat(129)],
  good: ["a", "A-z_0.9~:", "x".repeat(128)],
};

describe("a write that no server would take", () => {
  it.each(keys.bad)("rule 9: of the key %j is refused at once, and nothing is written", async (key) => {
    const device = place.device({ online: false });
    const { note } = await device.open();
    for (const write of [
      () => note.create({ text: "a" }, { key }),
      () => note.put(key, { text: "a" }),
      () => note.restore(key, { text: "a" }),
      () => note.deleteMany([key]),
      () => note.deleteMany(["a", key]),
    ])
      expect(write).toThrow(`${JSON.stringify(key)} is no key: 1–128 characters of A–Z a–z 0–9 . _ ~ : -.`);
    expect(device.client.status.pending.count).toBe(0);
    expect(note.all()).toEqual([]);
  });

  it("rule 9: a deleteMany of too many keys, or up to what is no version, is refused at once", async () => {
    const device = place.device({ online: false });
    const { note } = await device.open();
    const many = Array.from({ length: 1_001 }, (_, at) => `k${at}`);
    expect(() => note.deleteMany(many)).toThrow("note: 1001 keys, and 1000 at most go at once.");
    for (const upTo of [-1, 1.5, Number.NaN, 2 ** 53])
      expect(() => note.deleteMany({ upTo })).toThrow(`note: ${upTo} is no version.`);
    expect(device.client.status.pending.count).toBe(0);
  });

  it("rule 8: an atomic write that awaits is refused whole, and does not lose what comes after", async () => {
    const device = place.device({ online: false });
    const site = await device.open();
    const late = async (tx: Parameters<Parameters<typeof site.write>[0]>[0]): Promise<void> => {
      tx.note.create({ text: "before" });
      await Promise.resolve();
      tx.note.create({ text: "after" });
    };
    // @ts-expect-error: nor does it compile
    expect(() => site.write(late)).toThrow("The write has no ops, or is async");
    expect(() => site.write(() => undefined)).toThrow("The write has no ops, or is async");
    await Promise.resolve();
    expect(site.note.all()).toEqual([]);
    expect(device.client.status.pending.count).toBe(0);
    // What a short function happens to return is nothing to it.
    site.write((tx) => tx.note.create({ text: "one" }));
    site.write((tx) => ["two", "three"].map((text) => tx.note.create({ text })));
    expect(site.note.all()).toHaveLength(3);
  });

  it("rule 9: with a field that the domain does not have is refused at once, whichever write it is", async () => {
    const device = place.device();
    const site = await device.open();
    const { note } = site;
    note.create({ text: "a" }, { key: "n1" });
    note.create({ text: "b" }, { key: "n2" });
    note.delete("n2");
    await device.client.sync();
    const misspelt = { text: "c", bodi: "d" } as { text: string };
    for (const write of [
      () => note.create(misspelt),
      () => note.put("n1", misspelt),
      () => note.update("n1", misspelt),
      () => note.restore("n2", misspelt),
      () => site.write((tx) => tx.note.restore("n2", misspelt)),
    ])
      expect(write).toThrow("bodi: The domain has no such field.");
    expect(device.client.status.pending.count).toBe(0);
  });

  it("rule 9: everything that is taken here the server takes", async () => {
    const device = place.device();
    const { note } = await device.open();
    const receipts = [
      ...keys.good.map((key) => note.put(key, { text: "a" })),
      note.deleteMany(keys.good),
      note.deleteMany([]),
      note.deleteMany(["twice", "twice"]),
      note.deleteMany({ upTo: 0 }),
      note.deleteMany(Array.from({ length: 1_000 }, (_, at) => `k${at}`)),
    ];
    await device.client.sync();
    for (const { settled } of receipts) expect(await settled).toMatchObject({ status: "applied" });
  });
});

it("rule 8: a client that was closed takes no write and opens no space, instead of taking what it would never keep or send", async () => {
  const device = place.device({ online: false });
  const site = await device.open();
  await site.note.create({ text: "kept" }).saved;
  await device.client.close();
  expect(() => site.note.create({ text: "late" })).toThrow("Nothing was written: the client was closed.");
  expect(site.note.all().map(({ text }) => text)).toEqual(["kept"]);
  await expect(device.open()).rejects.toMatchObject({ code: "stopped", message: "The client was closed." });
});
