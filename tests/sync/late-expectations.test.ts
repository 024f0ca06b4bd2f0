import { afterEach, beforeEach, expect, it } from "vitest";
import { memoryStorageWith } from "./storages.js";
import { type Place, openPlace } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

/** A storage whose commits under the lead wait at a gate once it is shut. */
function gatedStorage() {
  let open: () => void = () => undefined;
  let arrived: () => void = () => undefined;
  let gate: Promise<void> | undefined;
  const storage = memoryStorageWith((handle) => ({
    commit: async (changes, fence) => {
      if (gate && fence) {
        arrived();
        await gate;
      }
      return handle.commit(changes, fence);
    },
  }));
  return {
    storage,
    /** Resolves when a commit waits. */
    shut(): Promise<void> {
      gate = new Promise((resolve) => (open = resolve));
      return new Promise((resolve) => (arrived = resolve));
    },
    open(): void {
      gate = undefined;
      open();
    },
  };
}

it("rule 7: a restore written while the answer to the delete is stored stands", async () => {
  const { storage, shut, open } = gatedStorage();
  const device = place.device({ storage });
  const site = await device.open();
  site.note.create({ text: "one" }, { key: "n1" });
  await device.client.sync();
  const numbered = shut();
  site.note.delete("n1");
  await numbered;
  open();
  const answered = shut();
  const syncing = device.client.sync();
  await answered;
  const back = site.note.restore("n1", { text: "again" });
  await back.saved;
  open();
  await syncing;
  await device.client.sync();
  expect(await back.settled).toMatchObject({ status: "applied" });
  expect(site.note.get("n1")?.text).toBe("again");
});
