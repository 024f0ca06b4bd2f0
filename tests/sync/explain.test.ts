import { afterEach, beforeEach, expect, it } from "vitest";
import { type Place, openPlace } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

it("§8: explain counts as own writes those that are to write a record, whether they can or not, and none that has only read it", async () => {
  const device = place.device();
  const site = await device.open();
  site.note.create({ text: "one" }, { key: "n1" });
  await device.client.sync();
  device.offline();
  await site.actions.quote({ key: "n2", of: "n1" }).shown;
  const explained = (key: string) => {
    const { pending, text } = site.explain("note", key);
    return [pending.map(({ event, failure }) => failure?.code ?? event.action ?? "ops"), text];
  };
  const confirmed = "Its last confirmed change is index 1";
  expect(explained("n1")).toEqual([[], `${confirmed}; no own write is pending.`]);
  expect(explained("n2")).toEqual([
    ["quote"],
    "The server has confirmed no such record; 1 own write(s) are pending.",
  ]);
  site.note.update("n1", { text: "two" });
  expect(explained("n1")).toEqual([["ops"], `${confirmed}; 1 own write(s) are pending.`]);
  site.note.deleteMany(["n8"]);
  expect(explained("n8")[0]).toEqual(["ops"]);
  await site.actions.rewrite({ key: "n9", text: "of nothing" }).shown;
  expect(explained("n9")).toEqual([
    ["missing"],
    "The server has confirmed no such record; 1 own write(s) are pending, 1 of which cannot stand as things are.",
  ]);
});
