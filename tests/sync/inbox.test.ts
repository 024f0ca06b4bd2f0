import { afterEach, beforeEach, expect, it } from "vitest";
import { type Place, openPlace } from "./world.js";

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
