import { afterEach, beforeEach, expect, it } from "vitest";
import { memoryStorageWith } from "./storages.js";
import { type Place, makeProbe, openPlace, probe, probed, settle, space } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

/** A storage that counts how often all the rows of the space were read. */
function countedStorage() {
  const reads = { rows: 0 };
  const storage = memoryStorageWith((handle) => ({
    snapshot(tables, of) {
      if (tables.includes("rows") && of === space) reads.rows += 1;
      return handle.snapshot(tables, of);
    },
  }));
  return { storage, reads };
}

it("rule 5: a replica that is opened again shows what it had, and goes on from there, with its rows read once", async () => {
  const { storage, reads } = countedStorage();
  const first = place.device({ storage });
  await makeProbe(first);
  probe(await first.open(), "synced");
  await first.client.sync();
  first.offline();
  await probe(await first.open(), "unsent").saved;
  await first.client.close();

  reads.rows = 0;
  const again = place.device({ storage });
  const site = await again.open();
  expect(probed(site)).toEqual({ names: ["synced", "unsent"], count: 2 });
  const other = place.device();
  const theirs = await other.open();
  await other.client.sync();
  probe(theirs, "another's");
  await settle(other, again);
  expect(probed(site)).toEqual({ names: ["another's", "synced", "unsent"], count: 3 });
  expect(reads.rows).toBe(1);
});
