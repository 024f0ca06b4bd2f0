import type { Row } from "@landfall/protocol";
import { describe, expect, it } from "vitest";
import { type Ask, bareEngine, count, create, event, idOf, space, success } from "./requests.js";

/** Reads a domain from 0 page by page. @param between what happens after each page. */
async function scan(
  ask: Ask,
  limit: number,
  between: (page: number) => Promise<void> = async () => undefined,
) {
  const held = new Map<string, Row>();
  let cursors: Record<string, number> = { a: 0 };
  let begun: { scan?: Record<string, number> } = {};
  let resets = 0;
  for (let page = 1; page <= 200; page++) {
    const answer = success(await ask("reader", { cursors, ...begun }, limit));
    if (answer.reset?.includes("a")) {
      held.clear();
      resets += 1;
    }
    for (const row of answer.rows) held.set(row.key, row);
    cursors = { ...answer.cursors };
    begun = answer.scan ? { scan: { ...answer.scan } } : {};
    if (!answer.more) return { held, resets, pages: page };
    await between(page);
  }
  throw new Error("The scan does not come to an end.");
}

describe("pages (DESIGN §6)", () => {
  it("rule 5: a page never ends inside a version", async () => {
    const { ask } = await bareEngine();
    const keys = ["k1", "k2", "k3", "k4", "k5"];
    await ask("d1", {
      events: [event(1, 1, [create("k0")]), event(1, 2, keys.map(create)), event(1, 3, [create("k9")])],
    });
    let cursor = 0;
    for (let page = 0; page < 10; page++) {
      const { rows, cursors, more } = success(await ask("reader", { cursors: { a: cursor } }, 2));
      const whole = rows.filter(({ version }) => version === 2).length;
      expect([0, keys.length]).toContain(whole);
      cursor = cursors["a"] as number;
      if (!more) break;
    }
    expect(cursor).toBe(3);
  });

  it("rule 5: a long first sync comes to its end although deletes are cleared away meanwhile", async () => {
    const { ask, storage } = await bareEngine();
    const events = Array.from({ length: 30 }, (_, i) => event(1, i + 1, [create(`k${i}`)]));
    await ask("d1", { events });
    await ask("d1", { events: [event(1, 31, [{ op: "delete", domain: "a", key: "k29" }])] });
    await storage.pruneTombstones(space, "a", 31);
    // A cursor in the middle of the scan lies before the horizon, and the scan's start does not.
    const { held, resets, pages } = await scan(ask, 3);
    expect(held.size).toBe(29);
    expect(resets).toBe(0);
    expect(pages).toBeLessThanOrEqual(10);
  });

  it("rule 7: a scan that began before the horizon begins anew, or it would miss a delete", async () => {
    const { ask, storage } = await bareEngine();
    await ask("d1", { events: Array.from({ length: 12 }, (_, i) => event(1, i + 1, [create(`k${i}`)])) });
    const { held, resets } = await scan(ask, 3, async (page) => {
      if (page !== 2) return;
      await ask("d1", { events: [event(1, 13, [{ op: "delete", domain: "a", key: "k0" }])] });
      await storage.pruneTombstones(space, "a", 13);
    });
    expect(held.has("k0")).toBe(false);
    expect(held.size).toBe(11);
    expect(resets).toBe(1);
  });

  it("rule 5: what somebody else changed between the write and the read is sent", async () => {
    const { ask } = await bareEngine();
    await ask("d1", { events: [event(1, 1, [create("k")])] });
    const cursors = { a: 1 };
    // Asked for at once, they share a commit, and each reads what the other did.
    const [first, second] = await Promise.all([
      ask("d1", { cursors, events: [event(1, 2, [count("k", 1)])] }),
      ask("d2", { cursors, events: [{ ...event(2, 1, [count("k", 10)]), id: idOf(2, 1) }] }),
    ]);
    const [one, two] = [success(first), success(second)];
    expect([one.head, two.head]).toEqual([3, 3]);
    // The first lacks the second's change; the second lacks the first's, which came before its own.
    for (const answer of [one, two]) {
      expect(answer.rows).toMatchObject([{ key: "k", version: 3, fields: { n: 11 } }]);
      expect(answer.outcomes[0]).not.toHaveProperty("omitted");
    }
  });

  it("rule 7: a finished cursor before the horizon is answered with a reset", async () => {
    const { ask, storage } = await bareEngine();
    await ask("d1", { events: [event(1, 1, [create("k0")]), event(1, 2, [create("k1")])] });
    await ask("d1", { events: [event(1, 3, [{ op: "delete", domain: "a", key: "k0" }])] });
    await storage.pruneTombstones(space, "a", 3);
    const answer = success(await ask("reader", { cursors: { a: 2 } }));
    expect(answer.reset).toEqual(["a"]);
    expect(answer.rows.map(({ key }) => key)).toEqual(["k1"]);
  });
});
