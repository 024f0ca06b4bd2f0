import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Place, openPlace } from "./world.js";

let place: Place;
const uncaught: unknown[] = [];
beforeEach(() => {
  place = openPlace();
  uncaught.splice(0);
  vi.spyOn(globalThis, "queueMicrotask").mockImplementation((task) => {
    try {
      task();
    } catch (error) {
      uncaught.push(error);
    }
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await place.close();
});

it("rules 8 and 9: a listener that throws holds up no write, no outcome and no other listener", async () => {
  const device = place.device();
  const other = place.device({ user: "ann" });
  const site = await device.open();
  const theirs = await other.open();
  await device.client.sync();
  const failure = new Error("This is the app's.");
  let listens = false;
  const heard: number[] = [];
  const fail = (): void => {
    if (listens) throw failure;
  };
  site.note.watch(fail);
  site.note.watch({}, fail);
  site.note.watchRecord("a", fail);
  device.client.subscribe(fail);
  site.note.watch((notes) => heard.push(notes.length));
  const before = site.note.all().length;
  listens = true;
  const receipt = site.note.create({ text: "a", votes: 0, marks: [] }, { key: "a" });
  await device.client.sync();
  expect(await receipt.settled).toMatchObject({ status: "applied" });
  await other.client.sync();
  theirs.note.update("a", { text: "b" });
  await other.client.sync();
  await device.client.sync();
  expect(site.note.get("a")?.text).toBe("b");
  expect(heard).toContain(before + 1);
  expect(device.client.status.pending.count).toBe(0);
  expect(new Set(uncaught)).toEqual(new Set([failure]));
});
