import { type Expectation, RejectedError, actionContext } from "@landfall/protocol";
import { defineSchema, records } from "@landfall/schema";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { AnyTxDomain } from "../engine-types.js";
import { retentionDefaults } from "../operations/retention.js";
import { TestDevice, create, remove, update, world } from "./device.test.fixture.js";

const schema = defineSchema({
  version: 1,
  domains: {
    account: records({ fields: z.object({ owner: z.string(), amount: z.number().min(0) }) }),
    entry: records({
      fields: z.object({
        from: z.string(),
        to: z.string(),
        amount: z.number(),
        at: z.number(),
        luck: z.number(),
      }),
    }),
  },
  actions: (action) => ({
    transfer: action(
      z.object({ from: z.string(), to: z.string(), amount: z.number().positive() }),
      async (tx, { from, to, amount }, context) => {
        const [source, target] = [await tx.account.get(from), await tx.account.get(to)];
        if (!source || !target) throw new RejectedError("no_account", "There is no such account.");
        tx.account.update(from, { amount: source.amount - amount });
        tx.account.update(to, { amount: target.amount + amount });
        const key = tx.entry.create({ from, to, amount, at: context.now, luck: context.random() });
        return { key, left: (await tx.account.get(from))?.amount ?? 0 };
      },
    ),
    closeAll: action(z.object({ owner: z.string() }), async (tx, { owner }) => {
      const mine = await tx.account.query({ where: { owner }, orderBy: "key" });
      for (const { key } of mine) tx.account.delete(key);
      return (await tx.account.all()).map(({ key }) => key);
    }),
    bringBack: action(z.object({ key: z.string() }), async (tx, { key }) => {
      tx.account.restore(key, { owner: "ann", amount: 1 });
    }),
    swallow: action(z.object({}), async (tx) => {
      try {
        tx.account.update("nowhere", { amount: 1 });
        await tx.account.get("nowhere");
      } catch {
        return "as if nothing had happened";
      }
    }),
    throws: action(z.object({}), async () => {
      throw new TypeError("no such thing");
    }),
    hangs: action(z.object({}), () => new Promise<never>(() => undefined)),
    strange: action(z.object({}), async () => 12n as unknown as string),
  }),
});

const start = async (options: Parameters<typeof world>[0] = {}): Promise<TestDevice> => {
  const device = new TestDevice(await world({ schema, ...options }));
  await device.send(
    ["a", "b"].map((key) => device.event([create(key, { owner: "ann", amount: 10 }, "account")])),
  );
  return device;
};

const amounts = async (device: TestDevice): Promise<unknown> =>
  Object.fromEntries(
    (await device.rows("account")).map((row) => [row.key, row.deleted ? "gone" : row.fields["amount"]]),
  );

describe("actions", () => {
  test("§5.2: an action runs in the event's transaction, and what it knows is fixed by the event", async () => {
    const device = await start();
    const event = device.event({ action: "transfer", args: { from: "a", to: "b", amount: 4 } });
    const { outcomes, rows } = await device.send([event], { cursors: { account: 2, entry: 2 } });
    const run = actionContext(event.id, "ann");
    expect(outcomes).toMatchObject([{ status: "applied", index: 3, result: { key: run.newKey(), left: 6 } }]);
    expect(outcomes[0]).not.toHaveProperty("omitted");
    expect(rows.map(({ key, version }) => [key, version])).toEqual(
      expect.arrayContaining([
        ["a", 3],
        ["b", 3],
      ]),
    );
    expect((await device.rows("entry"))[0]).toMatchObject({
      fields: { at: run.context.now, luck: run.context.random() },
    });
    expect((await device.send([event])).outcomes).toMatchObject([
      { status: "duplicate", of: "applied", result: { left: 6 } },
    ]);
    expect(await amounts(device)).toEqual({ a: 6, b: 14 });
  });

  test("rule 7: an action restores what its event expects deleted, though the server has forgotten that, and nothing else", async () => {
    const device = await start();
    await device.write([create("c", { owner: "ann", amount: 10 }, "account")]);
    for (const key of ["a", "b"]) await device.write([remove(key, "account")]);
    const { clock, engine } = device.world;
    clock.nowMs += retentionDefaults.tombstonesMs + 1_000;
    await engine.sweep();
    const bringBack = (key: string, ...expect: readonly Expectation[]) =>
      device.write({ action: "bringBack", args: { key }, expect });
    expect(await bringBack("a")).toMatchObject({ code: "missing" });
    expect(await bringBack("a", ["account", "a", 6])).toMatchObject({ code: "expectation_failed" });
    expect(await bringBack("c", ["account", "a", 4])).toMatchObject({ code: "expectation_failed" });
    const both = [
      ["account", "a", 4],
      ["account", "b", 5],
    ] as const;
    expect(await bringBack("a", ...both)).toMatchObject({ code: "expectation_failed" });
    expect(await bringBack("a", ["account", "a", 4])).toMatchObject({ status: "applied", index: 6 });
    expect(await bringBack("a", ["account", "a", 4])).toMatchObject({ code: "expectation_failed" });
    expect(await amounts(device)).toEqual({ a: 1, c: 10 });
  });

  test("§5.2: reads see the action's own writes, and those of events before it in the request", async () => {
    const device = await start();
    const { outcomes } = await device.send([
      device.event([
        create("c", { owner: "bob", amount: 1 }, "account"),
        update("b", { owner: "bob" }, "account"),
      ]),
      device.event({ action: "closeAll", args: { owner: "bob" } }),
    ]);
    expect(outcomes[1]).toMatchObject({ status: "applied", result: ["a"] });
    expect(await amounts(device)).toEqual({ a: 10, b: "gone", c: "gone" });
  });

  test("rule 9: a write that cannot stand rejects the action whole, with its reason, caught or not", async () => {
    const device = await start();
    expect(
      await device.write({ action: "transfer", args: { from: "a", to: "b", amount: 11 } }),
    ).toMatchObject({ status: "rejected", code: "invalid" });
    expect(await device.write({ action: "swallow", args: {} })).toMatchObject({
      status: "rejected",
      code: "missing",
    });
    expect(await amounts(device)).toEqual({ a: 10, b: 10 });
  });

  test("rule 9: a throw, bad arguments, a strange result and an unknown name each have their code; an action may bring its own", async () => {
    const device = await start();
    const code = async (action: string, args: object): Promise<unknown> =>
      ((await device.write({ action, args } as never)) as { code?: string }).code;
    expect(await code("throws", {})).toBe("action_failed");
    expect(await code("strange", {})).toBe("action_failed");
    expect(await code("transfer", { from: "a" })).toBe("invalid");
    expect(await code("unheard", {})).toBe("unknown_action");
    expect(await code("transfer", { from: "a", to: "nowhere", amount: 1 })).toBe("no_account");
  });

  test("§5.2: an action that does not end is stopped, and the space goes on", async () => {
    const device = await start({ limits: { actionBudgetMs: 20 } });
    const [hanging, next] = await Promise.all([
      device.write({ action: "hangs", args: {} }),
      new TestDevice(device.world).write([update("a", { amount: 3 }, "account")]),
    ]);
    expect(hanging).toMatchObject({
      status: "rejected",
      code: "action_failed",
      message: expect.stringContaining("20 ms") as string,
    });
    expect(next).toMatchObject({ status: "applied" });
  });

  test("§5.2: the server may replace an action, or have one that clients do not", async () => {
    const device = await start({
      actions: {
        transfer: async (tx, args, context) => {
          (tx["account"] as AnyTxDomain).update("a", { amount: 99 });
          return [args, context.user];
        },
        audit: async (tx) => (await (tx["account"] as AnyTxDomain).all()).length,
      },
    });
    expect(await device.write({ action: "transfer", args: { from: "a", to: "b", amount: 1 } })).toMatchObject(
      { status: "applied", result: [{ from: "a", to: "b", amount: 1 }, "ann"] },
    );
    expect(await device.write({ action: "audit", args: null })).toMatchObject({
      status: "applied",
      result: 2,
    });
    expect(await amounts(device)).toEqual({ a: 99, b: 10 });
  });

  test("rule 7: expectations guard actions too", async () => {
    const device = await start();
    await device.write([update("a", { amount: 9 }, "account")]);
    expect(
      await device.write({ action: "closeAll", args: { owner: "ann" }, expect: [["account", "a", 1]] }),
    ).toMatchObject({ code: "expectation_failed" });
  });
});

describe("authorize", () => {
  test("§5.2: it sees the event, the user, the role and the records, and says yes or no", async () => {
    const seen: unknown[] = [];
    const device = await start({
      authorize: async ({ user, role, event, tx }) => {
        const account = await (tx["account"] as AnyTxDomain).get("a");
        seen.push([user.id, role, "ops" in event ? event.ops.length : event.action, account?.["amount"]]);
        return !("ops" in event) || event.ops[0]?.op !== "delete";
      },
    });
    expect(await device.write([remove("a", "account")])).toMatchObject({
      status: "rejected",
      code: "forbidden",
    });
    expect(await device.write({ action: "transfer", args: { from: "a", to: "b", amount: 1 } })).toMatchObject(
      { status: "applied" },
    );
    expect(seen).toEqual([
      ["ann", "owner", 1, undefined],
      ["ann", "owner", 1, 10],
      ["ann", "owner", 1, 10],
      ["ann", "owner", "transfer", 10],
    ]);
  });

  test("rule 3: a hook that fails defers the event and all after it; a rejection of its own is final; it cannot write", async () => {
    let mood = "broken";
    const device = await start({
      authorize: ({ tx, event }) => {
        if ("ops" in event && event.ops[0]?.op === "create") return true;
        if (mood === "broken") throw new Error("the directory is down");
        if (mood === "strict") throw new RejectedError("not_today", "Come back tomorrow.");
        if (mood === "writing") (tx["account"] as AnyTxDomain).delete("b");
        return true;
      },
    });
    const events = [
      device.event([update("a", { amount: 1 }, "account")]),
      device.event([create("c", { owner: "ann", amount: 1 }, "account")]),
    ];
    expect((await device.send(events)).outcomes).toMatchObject([
      { status: "deferred", code: "busy" },
      { status: "deferred", code: "busy" },
    ]);
    mood = "strict";
    expect((await device.send(events)).outcomes).toMatchObject([
      { status: "rejected", code: "not_today" },
      { status: "applied" },
    ]);
    mood = "writing";
    expect(await device.write([update("a", { amount: 2 }, "account")])).toMatchObject({
      status: "rejected",
      code: "forbidden",
    });
  });
});

describe("authorize that gives neither true nor false", () => {
  test("§5.2: has not decided: the event is deferred, and nobody is let through by a forgotten return", async () => {
    const none = (): void => undefined;
    const quiet = { debug: none, info: none, warn: none };
    for (const answer of [undefined, null, "yes", Promise.resolve(undefined)]) {
      const told: unknown[] = [];
      const device = await start({
        authorize: ({ event }) =>
          "ops" in event && event.ops[0]?.op === "update" ? (answer as never) : true,
        logger: { ...quiet, error: (_message, fields) => void told.push(fields) },
      });
      const { outcomes } = await device.send([device.event([update("a", { amount: 1 }, "account")])]);
      expect(outcomes).toMatchObject([{ status: "deferred", code: "busy" }]);
      expect(String((told[0] as { error?: unknown }).error)).toContain("neither true nor false");
    }
  });
});

describe("the server's own writes", () => {
  test("§5.2: they take an index, reach every client, and win over what was there", async () => {
    const device = await start();
    const commits: unknown[] = [];
    device.world.engine.onCommit((commit) => commits.push(commit));
    const ahead = new TestDevice(device.world);
    ahead.skewMs = 1e9;
    await ahead.write([update("a", { amount: 5 }, "account")]);
    const written = await device.world.engine.space(device.world.space).write(async (tx) => {
      const accounts = tx["account"] as AnyTxDomain;
      accounts.update("a", { amount: 7 });
      const key = accounts.create({ owner: "server", amount: 0 });
      return [(await accounts.get("a"))?.["amount"], (await accounts.get(key))?.["owner"]];
    });
    expect(written).toMatchObject({ index: 4, result: [7, "server"] });
    expect(commits.at(-1)).toMatchObject({
      space: "site-7",
      events: [
        {
          index: 4,
          by: "server",
          seq: 0,
          domains: [{ domain: "account", from: 3 }],
          rows: [{ key: "a" }, {}],
        },
      ],
    });
    const { rows } = await device.send([], { cursors: { account: 3 } });
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ version: 4 });
  });

  test("§5.2: a write that cannot stand throws its code and leaves nothing; reading alone takes no index", async () => {
    const device = await start();
    const server = device.world.engine.space(device.world.space);
    await expect(
      server.write((tx) => (tx["account"] as AnyTxDomain).update("nowhere", { amount: 1 })),
    ).rejects.toMatchObject({ code: "missing" });
    await expect(
      server.write((tx) => {
        (tx["account"] as AnyTxDomain).delete("a");
        throw new RangeError("mine");
      }),
    ).rejects.toThrow(RangeError);
    await expect(device.world.engine.space("nowhere").write(() => 1)).rejects.toMatchObject({
      code: "not_found",
    });
    expect(
      await server.write((tx) => (tx["account"] as AnyTxDomain).all().then((all) => all.length)),
    ).toMatchObject({ index: 2, result: 2 });
  });

  test("a tx that is used after its end fails", async () => {
    const device = await start();
    let kept: AnyTxDomain | undefined;
    await device.world.engine
      .space(device.world.space)
      .write((tx) => void (kept = tx["account"] as AnyTxDomain));
    expect(() => (kept as AnyTxDomain).delete("a")).toThrow("over");
    await expect((kept as AnyTxDomain).get("a")).rejects.toThrow("over");
  });
});
