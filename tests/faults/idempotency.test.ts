import { describe, expect, it } from "vitest";
import { bareEngine, count, counted, create, event, failure, idOf, success, words } from "./requests.js";

describe("rule 3: a write happens once", () => {
  it("rule 3: sent again, whole, in part, later and at the same time, it has one effect and one outcome", async () => {
    const { ask } = await bareEngine();
    const events = [event(1, 1, [create("k")]), event(1, 2, [count("k")]), event(1, 3, [count("k", 10)])];
    const first = success(await ask("d1", { events }));
    expect(words(first.outcomes)).toEqual(["1 applied", "2 applied", "3 applied"]);
    const [again, part] = await Promise.all([ask("d1", { events }), ask("d1", { events: events.slice(1) })]);
    expect(words(success(again).outcomes)).toEqual([
      "1 duplicate applied",
      "2 duplicate applied",
      "3 duplicate applied",
    ]);
    expect(success(part).outcomes).toEqual(success(again).outcomes.slice(1));
    await ask("d1", { events: [event(1, 4, [count("k", 100)])] });
    const late = success(await ask("d1", { events }));
    expect(late.outcomes).toEqual(success(again).outcomes);
    expect(await counted(ask, "k")).toBe(111);
  });

  it("rule 3: another event under a known seq is never taken for the known one", async () => {
    const { ask } = await bareEngine();
    await ask("d1", { events: [event(1, 1, [create("k")]), event(1, 2, [count("k")])] });
    const copy = { ...event(1, 2, [count("k", 10)]), id: idOf(2, 2) };
    const error = failure(await ask("d1", { events: [event(1, 1, [create("k")]), copy] }));
    expect(error.code).toBe("device_forked");
    expect(words(error.outcomes ?? [])).toEqual(["1 duplicate applied"]);
    expect(await counted(ask, "k")).toBe(1);
    const renumbered = [
      event(1, 1, [create("k")], { was: { device: "d1", seq: 1 } }),
      { ...copy, was: { device: "d1", seq: 2 } },
    ];
    expect(words(success(await ask("d2", { events: renumbered })).outcomes)).toEqual([
      "1 duplicate applied",
      "2 applied",
    ]);
    expect(await counted(ask, "k")).toBe(11);
  });

  it("rule 3: a known id under another device counts only where `was` names the one that sent it, and is loud elsewhere", async () => {
    const { ask } = await bareEngine();
    await ask("d1", { events: [event(1, 1, [create("k")]), event(1, 2, [count("k")])] });
    const moved = async (seq: number, was?: object) =>
      words(
        success(await ask("d2", { events: [{ ...event(1, 2, [count("k")]), seq, ...(was && { was }) }] }))
          .outcomes,
      );
    expect(await moved(1)).toEqual(["1 rejected id_conflict"]);
    expect(await moved(2, { device: "d3", seq: 2 })).toEqual(["2 rejected id_conflict"]);
    expect(await moved(3, { device: "d1", seq: 1 })).toEqual(["3 duplicate applied"]);
    expect(await counted(ask, "k")).toBe(1);
  });

  it("rule 3: the body of an outcome is kept above `acked`, whatever comes later", async () => {
    const { ask } = await bareEngine({ limits: { maxEventsPerRequest: 1_000 } });
    const acked = 400;
    for (let from = 1; from <= 800; from += 100) {
      const events = Array.from({ length: 100 }, (_, i) =>
        event(1, from + i, [i + from === 1 ? create("k") : count("k")]),
      );
      await ask("d1", { acked: Math.min(from - 1, acked), events });
    }
    for (const seq of [acked + 1, acked + 2, 600, 800]) {
      const { outcomes } = success(await ask("d1", { acked, events: [event(1, seq, [count("k")])] }));
      expect(words(outcomes)).toEqual([`${seq} duplicate applied`]);
    }
    const { outcomes } = success(await ask("d1", { acked, events: [event(1, 1, [create("k")])] }));
    expect(words(outcomes)[0]).toMatch(/^1 duplicate (applied|expired)$/);
    expect(await counted(ask, "k")).toBe(799);
  });

  it("rule 3: a gap is refused with the seq that comes next, and nothing after it is handled", async () => {
    const { ask } = await bareEngine();
    const error = failure(
      await ask("d1", { events: [event(1, 1, [create("k")]), event(1, 3, [count("k")])] }),
    );
    expect(error).toMatchObject({ code: "seq_gap", expected: 1 });
    expect(await counted(ask, "k")).toBeUndefined();
  });

  it("rule 3: a void event keeps its seq and has no effect; one that had been applied says so", async () => {
    const { ask } = await bareEngine();
    await ask("d1", { events: [event(1, 1, [create("k")])] });
    const given = { id: idOf(1, 1), seq: 1, void: true };
    const never = { id: idOf(1, 2), seq: 2, void: true };
    expect(words(success(await ask("d1", { events: [given, never] })).outcomes)).toEqual([
      "1 duplicate applied",
      "2 void",
    ]);
    expect(
      words(
        success(await ask("d1", { events: [event(1, 2, [count("k")]), event(1, 3, [count("k")])] })).outcomes,
      ),
    ).toEqual(["2 duplicate void", "3 applied"]);
    expect(await counted(ask, "k")).toBe(1);
  });

  it("rule 3: what waits records nothing and takes no seq, and what comes after it waits too", async () => {
    let works = false;
    const { ask } = await bareEngine({
      authorize: ({ event: asked }) => {
        if (works || !("ops" in asked) || asked.ops[0]?.op !== "increment") return true;
        throw new Error("The other system is down.");
      },
    });
    const events = [event(1, 1, [create("k")]), event(1, 2, [count("k")]), event(1, 3, [create("l")])];
    const first = success(await ask("d1", { events }));
    expect(words(first.outcomes)).toEqual(["1 applied", "2 deferred busy", "3 deferred busy"]);
    expect(first.lastSeq).toBe(1);
    expect(await counted(ask, "l")).toBeUndefined();
    works = true;
    expect(words(success(await ask("d1", { events })).outcomes)).toEqual([
      "1 duplicate applied",
      "2 applied",
      "3 applied",
    ]);
    expect(await counted(ask, "k")).toBe(1);
  });

  it("rule 9: an event that is malformed is rejected alone, and its neighbours go on", async () => {
    const { ask } = await bareEngine();
    const events = [
      event(1, 1, [create("k")]),
      { id: idOf(1, 2), seq: 2, ops: [{ op: "explode" }] },
      event(1, 3, [count("k")]),
    ];
    expect(words(success(await ask("d1", { events })).outcomes)).toEqual([
      "1 applied",
      "2 rejected invalid",
      "3 applied",
    ]);
    expect(await counted(ask, "k")).toBe(1);
  });
});

describe("rule 7: what depends on a record", () => {
  it("rule 7: a change of a key whose create was refused is refused as well, and told apart", async () => {
    const { ask } = await bareEngine();
    await ask("d1", { events: [event(1, 1, [create("k")])] });
    const events = [event(2, 1, [create("k")]), event(2, 2, [count("k", 50)])];
    expect(words(success(await ask("d2", { events })).outcomes)).toEqual([
      "1 rejected exists",
      "2 rejected depends_on",
    ]);
    expect(await counted(ask, "k")).toBe(0);
  });

  it("rule 7: a restore needs to have seen the tombstone", async () => {
    const { ask } = await bareEngine();
    await ask("d1", {
      events: [event(1, 1, [create("k")]), event(1, 2, [{ op: "delete", domain: "a", key: "k" }])],
    });
    const restore = { op: "restore", domain: "a", key: "k", set: { n: 7 } } as const;
    const blind = [event(1, 3, [restore]), event(1, 4, [restore], { expect: [["a", "k", 1]] })];
    expect(words(success(await ask("d1", { events: blind })).outcomes)).toEqual([
      "3 rejected expectation_failed",
      "4 rejected expectation_failed",
    ]);
    expect(
      words(
        success(await ask("d1", { events: [event(1, 5, [restore], { expect: [["a", "k", 2]] })] })).outcomes,
      ),
    ).toEqual(["5 applied"]);
    expect(await counted(ask, "k")).toBe(7);
  });
});
