import assert from "node:assert/strict";
import type { CommittedEvent, SpaceCommit } from "../../engine-types.js";
import { type WithStorage, makeSpace, opened, recordAt, save, stateAt, writerAt } from "./sample.js";

/** Lets other work of the process go on, without a timer of any kind. */
async function someTurns(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

const event = (index: number): CommittedEvent => ({
  index,
  modifiedAt: index * 10,
  by: "d1",
  user: "ann",
  seq: index,
  domains: [],
  rows: undefined,
});

export function describeTransactions(test: WithStorage): void {
  describeBatches(test);
  describeCommits(test);
}

function describeBatches(test: WithStorage): void {
  test("rule 2: what a batch gave is there for reads once it resolves", async (storage) => {
    await makeSpace(storage);
    const value = await storage.write("s1", async (transaction) => {
      await opened(transaction);
      await transaction.save({ space: stateAt(1), writer: writerAt(1), records: [recordAt("a", "k1", 1)] });
      return 42;
    });
    assert.equal(value, 42);
    const page = await storage.read((snapshot) =>
      snapshot.page({ space: "s1", domains: [{ domain: "a", after: 0 }], limit: 10, maxBytes: 1e6 }),
    );
    assert.deepEqual(
      page.rows.map(({ key }) => key),
      ["k1"],
    );
  });

  test("rule 2: a batch that throws leaves nothing, and its neighbours in the same commit stand", async (storage) => {
    await makeSpace(storage);
    await makeSpace(storage, "s2");
    const failing = storage.write("s1", async (transaction) => {
      await opened(transaction);
      await transaction.save({ space: stateAt(5), writer: writerAt(1), records: [recordAt("a", "k1", 5)] });
      transaction.publish("g1", [event(5)]);
      throw new RangeError("not this one");
    });
    const standing = save(storage, { space: stateAt(1), records: [recordAt("a", "k2", 1)] }, "s2");
    await assert.rejects(failing, RangeError);
    await standing;
    const [first, second] = await storage.read(async (snapshot) => [
      await snapshot.space("s1", "ann"),
      await snapshot.space("s2", "ann"),
    ]);
    assert.equal(first?.state.head, 0);
    assert.equal(second?.state.head, 1);
  });

  test("rule 4: batches run one after another, however long one takes", async (storage) => {
    await makeSpace(storage);
    const add = (): Promise<void> =>
      storage.write("s1", async (transaction) => {
        const { state } = await opened(transaction);
        await someTurns();
        await transaction.save({ space: stateAt(state.head + 1) });
      });
    await Promise.all(Array.from({ length: 20 }, add));
    assert.equal((await storage.read((snapshot) => snapshot.space("s1", "ann")))?.state.head, 20);
  });

  test("rule 4: a read sees whole commits only, while a batch is under way", async (storage) => {
    await makeSpace(storage);
    let reading: Promise<number | undefined> | undefined;
    await storage.write("s1", async (transaction) => {
      await opened(transaction);
      await transaction.save({ space: stateAt(1) });
      reading = storage.read(async (snapshot) => (await snapshot.space("s1", "ann"))?.state.head);
      await someTurns();
      await transaction.save({ space: stateAt(2) });
    });
    assert.ok([0, 2].includes((await reading) as number));
  });
}

function describeCommits(test: WithStorage): void {
  test("§5.3: batches of one commit learn the modifiedAt that it has", async (storage) => {
    await makeSpace(storage);
    const seen: (number | undefined)[] = [];
    const write = (modifiedAt: number): Promise<void> =>
      storage.write("s1", async (transaction) => {
        const { state, commitModifiedAt } = await opened(transaction);
        seen.push(commitModifiedAt);
        await transaction.save({ space: stateAt(state.head + 1, commitModifiedAt ?? modifiedAt) });
      });
    const commits = storage.stats().commits;
    await Promise.all([write(100), write(200)]);
    const shared = storage.stats().commits - commits === 1;
    await write(300);
    assert.deepEqual(seen, [undefined, shared ? 100 : undefined, undefined]);
  });

  test("§7: a batch knows whether another of its space comes after it in the same commit", async (storage) => {
    await makeSpace(storage);
    await makeSpace(storage, "s2");
    const write = (space: string): Promise<boolean> =>
      storage.write(space, async (transaction) => (await opened(transaction)).isLast);
    const commits = storage.stats().commits;
    const isLast = await Promise.all([write("s1"), write("s2"), write("s1")]);
    const shared = storage.stats().commits - commits === 1;
    assert.deepEqual(isLast, [!shared, true, true]);
  });

  test("rule 2: listeners hear after the commit, once for each space and commit, and not of what failed", async (storage) => {
    await makeSpace(storage);
    await makeSpace(storage, "s2");
    const heard: SpaceCommit[] = [];
    const stop = storage.onCommit((commit) => heard.push(commit));
    const publish = (space: string, index: number): Promise<void> =>
      storage.write(space, async (transaction) => {
        const { state } = await opened(transaction);
        await transaction.save({ space: stateAt(state.head + 1) });
        transaction.publish("g1", [event(index)]);
        assert.equal(
          heard.some(({ events }) => events.some((told) => told.index === index)),
          false,
        );
      });
    const failing = storage.write("s1", async (transaction) => {
      transaction.publish("g1", [event(99)]);
      throw new Error("no");
    });
    await Promise.all([publish("s1", 1), failing.catch(() => undefined), publish("s2", 2), publish("s1", 3)]);
    stop();
    await publish("s1", 4);
    assert.deepEqual(
      heard.filter(({ space }) => space === "s1").flatMap(({ events }) => events.map(({ index }) => index)),
      [1, 3],
    );
    assert.deepEqual(
      heard.filter(({ space }) => space === "s2").flatMap(({ events }) => events.map(({ index }) => index)),
      [2],
    );
    assert.ok(heard.every(({ events, generation }) => events.length > 0 && generation === "g1"));
  });

  test("a transaction cannot be used after its batch has ended, and a closed storage takes nothing", async (storage) => {
    await makeSpace(storage);
    const kept = await storage.write("s1", async (transaction) => {
      await opened(transaction);
      return { transaction };
    });
    await assert.rejects(async () => kept.transaction.save({ space: stateAt(9) }));
    await storage.close();
    await assert.rejects(storage.write("s1", () => 1));
  });
}
