import { expect, test } from "vitest";
import { type SqliteStorage, sqlite } from "../storage/sqlite.js";
import { TestDevice, addMember, create, remove, update, world } from "./device.test.fixture.js";

/** Counts the snapshots that are read; `isHiding` keeps every batch from knowing that it is the last of its commit. */
function counted(isHiding: boolean): { readonly storage: SqliteStorage; reads: number } {
  const storage = sqlite(":memory:");
  const counts = {
    reads: 0,
    storage: {
      ...storage,
      read: ((view) => {
        counts.reads += 1;
        return storage.read(view);
      }) as SqliteStorage["read"],
      write: ((space, batch) =>
        storage.write(space, (transaction) =>
          batch(
            new Proxy(transaction, {
              get(target, name) {
                const member = Reflect.get(target, name) as unknown;
                if (name === "open" && isHiding)
                  return (device: string, user: string) => {
                    const opened = target.open(device, user);
                    if (opened instanceof Promise) throw new Error("SQLite gives values.");
                    return opened && { ...opened, isLast: false };
                  };
                return typeof member === "function" ? (member.bind(target) as unknown) : member;
              },
            }),
          ),
        )) as SqliteStorage["write"],
    },
  };
  return counts;
}

/** What two devices are answered while they write, and how many snapshots each answer took. */
async function story(isHiding: boolean): Promise<{ readonly answers: unknown[]; readonly reads: number[] }> {
  const counts = counted(isHiding);
  const here = await world({ storage: counts.storage });
  await addMember(here, "bob", "writer");
  const [ann, bob] = [new TestDevice(here, "ann", "da"), new TestDevice(here, "bob", "db")];
  const answers: unknown[] = [];
  const reads: number[] = [];
  const send = async (device: TestDevice, ...request: Parameters<TestDevice["send"]>): Promise<void> => {
    const before = counts.reads;
    const { generation: _, outcomes, digests = {}, ...answer } = await device.send(...request);
    reads.push(counts.reads - before);
    // Stamps are of the story's own devices, and so are the digests.
    answers.push({ ...answer, outcomes: outcomes.map(({ id: _id, ...outcome }) => outcome) });
    const found = await here.storage.read((snapshot) => snapshot.space(here.space, ""));
    for (const [domain, { sum }] of Object.entries(digests))
      expect(sum).toBe(found?.domains.find((state) => state.domain === domain)?.sum ?? "0".repeat(32));
  };
  const first = ann.event([create("p1", { n: 1 })]);
  await send(ann, [first], { cursors: { project: 0, point: 0 } });
  await send(ann, [ann.event([update("p1", { n: 2 })]), ann.event([create("c1", {}, "point")])], {
    cursors: { project: 1, point: 1 },
  });
  await send(ann, [first], { cursors: { project: 3, point: 3 } });
  await send(bob, [bob.event([create("p2")])], { cursors: { project: 3 } });
  await send(ann, [ann.event([remove("p1")])], { cursors: { project: 4, point: 3 } });
  await send(ann, [], { cursors: { project: 5, point: 5 } });
  await send(ann, [ann.event([create("p2")])], { cursors: { project: 5 } });
  await send(bob, [bob.event([update("p2", { n: 3 })])], { cursors: { project: 4 } });
  await here.engine.close();
  return { answers, reads };
}

test("§6: an answer whose rows are all the device's own is made without a read, and says what a read would say", async () => {
  const [told, read] = [await story(false), await story(true)];
  expect(told.answers).toEqual(read.answers);
  expect(read.reads).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  expect(told.reads).toEqual([0, 0, 0, 0, 0, 1, 0, 1]);
});
