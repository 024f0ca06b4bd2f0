import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Place, openPlace } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

describe("a mistake of the app", () => {
  it("in credentials, such as a forgotten return, is told, and the app goes on", async () => {
    const nothing = (): string => undefined as unknown as string;
    const device = place.device({ client: { credentials: nothing } });
    const site = await device.open();
    await site.note.create({ text: "kept" }, { key: "n1" }).saved;
    await expect(device.client.sync()).rejects.toThrow("credentials() gave undefined.");
    expect(device.client.status).toMatchObject({ state: "backing-off", pending: { count: 1 } });
    expect(site.note.get("n1")?.text).toBe("kept");
  });

  it("in the id of a space is refused at once, and keeps no other space from syncing", async () => {
    const device = place.device();
    const site = await device.open();
    for (const id of ["Ann's shed", "ann@example.org", "", "x".repeat(129), undefined])
      await expect(device.client.space(id as string).open()).rejects.toThrow("cannot be the id of a space");
    site.note.create({ text: "goes on" });
    await device.client.sync();
    expect(device.client.status.state).toBe("live");
  });

  it("rule 5: in the members of a set shows nothing that the server will not take", async () => {
    const device = place.device();
    const site = await device.open();
    site.note.create({ text: "one" }, { key: "n1" });
    expect(() => site.note.add("n1", { marks: "steel" as unknown as string[] })).toThrow(
      "marks: add takes a list",
    );
    expect(() => site.note.increment("n1", { votes: "1" as unknown as number })).toThrow(
      "votes: 1 is no number",
    );
    expect(() => site.note.increment("n1", { text: 1 } as object)).toThrow("text is no counter");
    expect(site.note.get("n1")).toMatchObject({ marks: [], votes: 0 });
  });

  it("in a watch without a listener is refused, and nothing is left behind that fails later", async () => {
    const device = place.device();
    const site = await device.open();
    const watch = site.note.watch as (query: object) => void;
    expect(() => watch({ where: { text: "one" } })).toThrow("watch takes a query and the function");
    site.note.create({ text: "one" });
  });

  it("in writing a record back as it was read says what to leave out", async () => {
    const device = place.device();
    const site = await device.open();
    site.note.create({ text: "one" }, { key: "n1" });
    const record = site.note.get("n1");
    site.note.delete("n1");
    expect(() => site.note.restore("n1", record as never)).toThrow("const { key, $, ...fields } = record");
  });
});
