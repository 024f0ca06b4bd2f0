import { afterEach, beforeEach, expect, it } from "vitest";
import { type Device, type NoteSpace, type Place, openPlace } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

it("rules 3 and 8: an inbox item that is retried twice at once is written once", async () => {
  const owner = place.device();
  const site = await owner.open();
  site.note.create({ text: "counted" }, { key: "n1" });
  await owner.client.sync();
  const allow = (role: "reader" | "writer") => owner.client.spaces().invite(site.id, "bob", role);
  await allow("writer");
  const bob = place.device({ user: "bob" });
  const theirs = await bob.open();
  await bob.client.sync();
  bob.offline();
  theirs.note.increment("n1", { votes: 1 });
  await allow("reader");
  bob.online();
  await bob.client.sync();
  const [item] = theirs.inbox.current;
  expect(item).toMatchObject({ kind: "rejected", code: "forbidden" });
  await allow("writer");
  const retry = () => theirs.inbox.retry(item?.id ?? "");
  const { settled } = retry();
  expect(retry).toThrow("dealt with already");
  await bob.client.sync();
  expect(await settled).toMatchObject({ status: "applied" });
  expect(theirs.note.get("n1")?.votes).toBe(1);
  expect(theirs.inbox.current).toEqual([]);
});

it("rule 7: a restore that came too late is retried on the tombstone that stands by then", async () => {
  const ann = place.device();
  const site = await ann.open();
  site.note.create({ text: "first" }, { key: "n1" });
  site.note.delete("n1");
  await ann.client.sync();
  const other = place.device();
  const theirs = await other.open();
  await other.client.sync();
  ann.offline();
  site.note.restore("n1", { text: "mine" });
  theirs.note.restore("n1", { text: "theirs" });
  await other.client.sync();
  theirs.note.delete("n1");
  await other.client.sync();
  ann.online();
  await ann.client.sync();
  const [item] = site.inbox.current;
  expect(item).toMatchObject({ kind: "rejected", code: "expectation_failed" });
  const { settled } = site.inbox.retry(item?.id ?? "");
  await ann.client.sync();
  expect(await settled).toMatchObject({ status: "applied" });
  expect(site.note.get("n1")?.text).toBe("mine");
});

it.each([
  ["only read it", ({ actions }: NoteSpace) => actions.quote({ key: "n2", of: "n1" })],
  ["cannot stand", ({ actions }: NoteSpace) => actions.rewrite({ key: "n1", text: "late" })],
])(
  "rule 7: a restore expects the tombstone, whatever own write came after it that %s",
  async (_which, after) => {
    const ann = place.device();
    const site = await ann.open();
    site.note.create({ text: "first" }, { key: "n1" });
    site.note.delete("n1");
    await ann.client.sync();
    ann.offline();
    await after(site).shown;
    const { settled } = site.note.restore("n1", { text: "back" });
    ann.online();
    await ann.client.sync();
    expect(await settled).toMatchObject({ status: "applied" });
    expect(site.note.get("n1")?.text).toBe("back");
  },
);

it("rules 3 and 9: a write that something on the way finds too large is refused only if it never got through", async () => {
  const ann = place.device();
  const site = await ann.open();
  site.note.create({ text: "counted" }, { key: "n1" });
  await ann.client.sync();
  const refusedWhile = async (reach: () => void) => {
    reach();
    const { saved, settled } = site.note.increment("n1", { votes: 1 });
    await saved;
    await ann.client.sync().catch(() => undefined);
    ann.online();
    ann.refuse("/v1/exchange");
    await ann.client.sync().catch(() => undefined);
    expect(site.inbox.current).toEqual([]);
    ann.refuse("nothing");
    await ann.client.sync();
    return settled;
  };
  // The answer to the first send was lost, and the count was taken.
  expect(await refusedWhile(() => ann.deafen())).toMatchObject({ status: "duplicate", of: "applied" });
  expect(site.note.get("n1")?.votes).toBe(1);
  expect(await refusedWhile(() => ann.offline())).toMatchObject({ status: "rejected", code: "too_large" });
  expect(site.note.get("n1")?.votes).toBe(1);
  expect(site.inbox.current).toMatchObject([{ kind: "rejected", code: "too_large", tried: { votes: 1 } }]);
});

/** Ann writes a note again while nobody sees it; what Bob writes is later, and is first at the server. */
async function lostToBob(write: (site: NoteSpace) => void): Promise<{ ann: Device; site: NoteSpace }> {
  const [ann, bob] = [place.device(), place.device()];
  const site = await ann.open();
  site.note.create({ text: "first", body: "first" }, { key: "n1" });
  await ann.client.sync();
  const theirs = await bob.open();
  await bob.client.sync();
  ann.offline();
  write(site);
  place.time.pass(1_000);
  theirs.note.update("n1", { text: "Bob's", body: "Bob's" });
  await bob.client.sync();
  ann.online();
  await ann.client.sync();
  return { ann, site };
}

it("rule 9: what an action lost of a record is told, and not cleared as if it had wanted that", async () => {
  const { ann, site } = await lostToBob(({ actions }) => void actions.rewrite({ key: "n1", text: "Ann's" }));
  const items = site.inbox.current;
  expect(items).toMatchObject([
    { kind: "superseded", field: "body", won: "Bob's", choices: ["dismiss"] },
    { kind: "superseded", field: "text", won: "Bob's", choices: ["dismiss"] },
  ]);
  for (const { id } of items) expect(() => site.inbox.writeAgain(id)).toThrow("not for writeAgain");
  await ann.client.sync();
  expect(site.note.get("n1")).toMatchObject({ text: "Bob's", body: "Bob's" });
});

it("rule 9: a field is written again, or cleared again, as it was tried", async () => {
  const { ann, site } = await lostToBob(
    ({ note }) => void note.update("n1", { text: "Ann's" }, { unset: ["body"] }),
  );
  for (const { id } of site.inbox.current) site.inbox.writeAgain(id);
  await ann.client.sync();
  expect(site.note.get("n1")).toMatchObject({ text: "Ann's" });
  expect(site.note.get("n1")?.body).toBeUndefined();
  expect(site.inbox.current).toEqual([]);
});

it("rule 8: a field of a record that is gone makes no record of itself, and stays in the inbox", async () => {
  const { ann, site } = await lostToBob(({ note }) => void note.update("n1", { text: "Ann's" }));
  site.note.delete("n1");
  await ann.client.sync();
  const [item] = site.inbox.current;
  expect(() => site.inbox.writeAgain(item?.id ?? "")).toThrow("There is no note n1");
  expect(ann.client.status.pending.count).toBe(0);
  expect(site.inbox.current).toEqual([item]);
});
