import { describe, expect, it } from "vitest";
import { bareEngine, count, counted, create, event, success, words } from "./requests.js";

describe("an event is atomic", () => {
  it("rule 9: an event that is refused in its middle leaves nothing behind", async () => {
    const { ask } = await bareEngine();
    await ask("d1", { events: [event(1, 1, [create("k")])] });
    const events = [
      event(1, 2, [count("k", 5), count("none")]),
      event(1, 3, [create("l"), count("none")]),
      event(1, 4, [count("k", 100)]),
    ];
    const answer = success(await ask("d1", { events }));
    expect(words(answer.outcomes)).toEqual(["2 rejected missing", "3 rejected missing", "4 applied"]);
    expect(await counted(ask, "k")).toBe(100);
    expect(await counted(ask, "l")).toBeUndefined();
    const { digests, head } = success(await ask("reader", { cursors: { a: 0 } }));
    expect([head, digests?.["a"]?.count]).toEqual([2, 1]);
  });
});
