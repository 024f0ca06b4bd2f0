import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { type ActionArgs, type ActionContext, type ActionValue, defineSchema, records } from "./index.js";

const schema = defineSchema({
  version: 1,
  domains: { project: records({ fields: z.object({ name: z.string() }) }) },
  actions: (action) => ({
    rename: action(
      z.object({
        id: z.string(),
        name: z.string().default("none"),
        at: z.iso
          .datetime()
          .transform((text) => new Date(text))
          .optional(),
      }),
      async (tx, { id, name, at }, ctx) => {
        tx.project.update(id, { name: `${name} by ${ctx.user}` });
        return at?.getTime();
      },
    ),
    throws: action(z.object({}), (): Promise<void> => {
      throw new Error("at once");
    }),
  }),
});

const context: ActionContext = { now: 1, random: () => 0.5, uuid: () => "u", user: "ann", event: "e" };

describe("actions (DESIGN §5.2)", () => {
  it("validates arguments; the event carries them as they were given", () => {
    const { rename } = schema.actions;
    expect(rename.validate({ id: "p", at: "2026-01-01T00:00:00Z", name: undefined })).toStrictEqual({
      ok: true,
      value: { id: "p", name: "none", at: new Date("2026-01-01T00:00:00Z") },
      args: { id: "p", at: "2026-01-01T00:00:00Z" },
    });
    expect(rename.validate({})).toMatchObject({ ok: false, issues: [{ path: ["id"] }] });
    expectTypeOf<ActionArgs<typeof rename>>().toEqualTypeOf<{
      id: string;
      name?: string | undefined;
      at?: string | undefined;
    }>();
    expectTypeOf<ActionValue<typeof rename>["at"]>().toEqualTypeOf<Date | undefined>();
  });

  it("what an event carries validates to the same value at every run", () => {
    const first = schema.actions.rename.validate({ id: "p", name: undefined });
    if (!first.ok) throw new Error("valid");
    expect(schema.actions.rename.validate(first.args)).toEqual(first);
  });

  it("refuses arguments that the wire could not carry", () => {
    expect(schema.actions.rename.validate({ id: "p", extra: 1n })).toMatchObject({
      ok: false,
      issues: [{ path: ["extra"] }],
    });
    expect(schema.actions.rename.validate(undefined)).toMatchObject({ ok: false, issues: [{ path: [] }] });
  });

  it("runs over the tx that it is given", async () => {
    const updates: unknown[] = [];
    const tx = { project: { update: (...args: unknown[]) => updates.push(args) } };
    const { rename } = schema.actions;
    const checked = rename.validate({ id: "p", name: "n" });
    if (!checked.ok) throw new Error("valid");
    expect(await rename.run(tx, checked.value, context)).toBeUndefined();
    expect(updates).toEqual([["p", { name: "n by ann" }]]);
  });

  it("an action that throws before it waits rejects all the same", async () => {
    await expect(schema.actions.throws.run({}, {}, context)).rejects.toThrow("at once");
  });

  it("is found by name and frozen", () => {
    expect(schema.action("rename")).toBe(schema.actions.rename);
    expect(Object.isFrozen(schema.actions.rename)).toBe(true);
  });
});
