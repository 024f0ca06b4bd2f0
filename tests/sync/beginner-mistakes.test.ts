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

  it("in the id of a member or of a space asks the server for nothing: without one, the address is another", async () => {
    const { client } = place.device();
    await client.space("site-7", { create: true }).open();
    await client.sync();
    const spaces = client.spaces();
    for (const id of ["", ".", "..", "\ud800", undefined] as string[]) {
      for (const call of [
        () => spaces.invite("site-7", id, "writer"),
        () => spaces.remove("site-7", id),
        () => spaces.members(id),
        () => spaces.leave(id),
      ])
        await expect(call()).rejects.toMatchObject({
          name: "RemoteError",
          code: "invalid_request",
          message: expect.stringContaining("cannot be the id of a") as string,
        });
    }
    expect(await spaces.members("site-7")).toHaveLength(1);
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

  it("in the options of a query is refused with those that there are, and is not answered with all there is", async () => {
    const device = place.device();
    const { note } = await device.open();
    note.create({ text: "one" });
    const known = "Known are: where, orderBy, limit, after.";
    const asked = (query: object) => query as Parameters<typeof note.query>[0];
    expect(() => note.query(asked({ were: { text: "two" } }))).toThrow(`no option "were". ${known}`);
    expect(() => note.watch(asked({ limt: 1 }), () => undefined)).toThrow(`no option "limt". ${known}`);
    expect(() => note.live(asked({ order: "text" })).current).toThrow(`no option "order". ${known}`);
    for (const orderBy of [["text"], [["text", "DESC"]], { text: "desc" }])
      expect(() => note.query(asked({ orderBy }))).toThrow('a field, or a list of [field, "asc" or "desc"]');
    expect(() => (note.all as (query: object) => void)({ where: { text: "two" } })).toThrow(
      "all takes no query, which query does",
    );
    note.create({ text: "goes on" });
  });

  it("rule 8: in the options of a space, a write or a signing out is refused, and nothing is written or gone", async () => {
    const device = place.device();
    const { client } = device;
    const mistaken = { craete: true } as object;
    await expect(client.space("site-8", mistaken).open()).rejects.toThrow(
      'space has no option "craete". Known are: create.',
    );
    const { note } = await device.open();
    note.create({ text: "one" }, { key: "n1" });
    expect(() => note.update("n1", { text: "two" }, { expects: "current" } as object)).toThrow(
      'update has no option "expects". Known are: expect, unset.',
    );
    expect(() => note.delete("n1", { expected: 1 } as object)).toThrow('delete has no option "expected"');
    expect(() => note.create({ text: "two" }, { id: "n2" } as object)).toThrow(
      'create has no option "id". Known are: key.',
    );
    device.offline();
    await note.create({ text: "unsynced" }).saved;
    await expect(client.signOut({ unsyncd: "export" } as object)).rejects.toThrow('no option "unsyncd"');
    await expect(client.signOut({ unsynced: "exprot" } as object)).rejects.toThrow(
      "unsynced to be block, export or discard",
    );
    expect(note.all().map(({ text }) => text)).toEqual(expect.arrayContaining(["one", "unsynced"]));
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
