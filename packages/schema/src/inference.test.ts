import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  type ActionArgs,
  type ActionMap,
  type ActionResult,
  type CounterKeys,
  type DomainMap,
  type FieldsOf,
  type InputOf,
  type LwwKeys,
  type PatchOf,
  type PutOf,
  type Query,
  type Schema,
  type SetKeys,
  type Tx,
  type UnsetOf,
  type Where,
  counter,
  defineSchema,
  records,
  select,
  set,
} from "./index.js";

const domains = {
  project: records({
    fields: z.object({ name: z.string(), done: z.boolean().default(false), note: z.string().optional() }),
  }),
  controlpoint: records({
    fields: z.object({
      projectId: z.string(),
      label: z.string().trim(),
      at: z.object({ x: z.number(), y: z.number() }),
    }),
    parent: { domain: "project", field: "projectId", onDelete: "cascade" },
    indexes: [["projectId", "label"]],
    unique: [["label"]],
  }),
  vote: records({
    fields: z.object({ title: z.string(), count: z.number(), tags: z.array(z.enum(["red", "blue"])) }),
    merge: { count: counter(), tags: set() },
    indexes: [["count"]],
  }),
  draft: records({ fields: z.object({ text: z.string() }), local: true }),
};

const schema = defineSchema({
  version: 3,
  domains,
  migrations: { 2: { domains: { project: { rename: { title: "name" } } } } },
  actions: (action) => ({
    closeProject: action(
      z.object({ id: z.string(), why: z.string().default("finished") }),
      async (tx, { id, why }, ctx) => {
        const project = await tx.project.get(id);
        expectTypeOf(project).toEqualTypeOf<
          (FieldsOf<typeof domains.project> & { readonly key: string }) | undefined
        >();
        expectTypeOf(why).toEqualTypeOf<string>();
        expectTypeOf(ctx.now).toEqualTypeOf<number>();
        for (const point of await tx.controlpoint.query({ where: { projectId: id }, orderBy: "label" }))
          tx.controlpoint.delete(point.key);
        tx.project.update(id, { done: true, note: why }, { unset: ["note"] });
        tx.vote.increment("v", { count: 1 });
        tx.vote.add("v", { tags: ["red"] });
        return project?.name.length ?? 0;
      },
    ),
  }),
});
type D = typeof domains;

describe("types: a misspelt field does not compile (DESIGN §5.2)", () => {
  it("fields and input come from the validator", () => {
    expectTypeOf<FieldsOf<D["project"]>>().toEqualTypeOf<{
      name: string;
      done: boolean;
      note?: string | undefined;
    }>();
    expectTypeOf<InputOf<D["project"]>>().toEqualTypeOf<{
      name: string;
      done?: boolean | undefined;
      note?: string | undefined;
    }>();
    expectTypeOf<PatchOf<D["project"]>>().toEqualTypeOf<{
      readonly name?: string;
      readonly done?: boolean;
      readonly note?: string;
    }>();
    expectTypeOf<UnsetOf<D["project"]>>().toEqualTypeOf<"note">();
    expectTypeOf<FieldsOf<(typeof schema)["domains"]["project"]>>().toEqualTypeOf<FieldsOf<D["project"]>>();
  });

  it("counters and sets start by themselves and are never assigned", () => {
    expectTypeOf<CounterKeys<D["vote"]>>().toEqualTypeOf<"count">();
    expectTypeOf<SetKeys<D["vote"]>>().toEqualTypeOf<"tags">();
    expectTypeOf<LwwKeys<D["vote"]>>().toEqualTypeOf<"title">();
    expectTypeOf<InputOf<D["vote"]>>().toEqualTypeOf<{
      title: string;
      count?: number;
      tags?: ("red" | "blue")[];
    }>();
    expectTypeOf<PatchOf<D["vote"]>>().toEqualTypeOf<{ readonly title?: string }>();
    expectTypeOf<PutOf<D["vote"]>>().toEqualTypeOf<{ title: string }>();
    expectTypeOf<CounterKeys<D["project"]>>().toBeNever();
    expectTypeOf<SetKeys<D["project"]>>().toBeNever();
  });

  it("an action knows the domains, without annotations", () => {
    expectTypeOf<ActionArgs<(typeof schema)["actions"]["closeProject"]>>().toEqualTypeOf<{
      id: string;
      why?: string | undefined;
    }>();
    expectTypeOf<ActionResult<(typeof schema)["actions"]["closeProject"]>>().toEqualTypeOf<number>();
    // @ts-expect-error there is no such action
    expect(schema.actions.closeProjekt).toBeUndefined();
    // @ts-expect-error there is no such domain
    expect(schema.domains.projekt).toBeUndefined();
  });

  it("tx refuses what the domains do not have", () => {
    const misuse = async (tx: Tx<D>): Promise<void> => {
      // @ts-expect-error there is no such domain
      void tx.projekt;
      // @ts-expect-error a local domain does not exist on the server
      void tx.draft;
      // @ts-expect-error there is no such field
      tx.project.create({ name: "a", nam: "b" });
      // @ts-expect-error a required field is missing
      tx.project.create({ done: true });
      // @ts-expect-error there is no such field
      tx.project.update("k", { nam: "b" });
      // @ts-expect-error the wrong type
      tx.project.update("k", { name: 1 });
      // @ts-expect-error a field with a default is always there
      tx.project.update("k", {}, { unset: ["done"] });
      // @ts-expect-error the domain has no counters
      tx.project.increment("k", { name: 1 });
      // @ts-expect-error counters are incremented
      tx.vote.update("k", { count: 3 });
      // @ts-expect-error sets are added to
      tx.vote.put("k", { title: "t", tags: ["red"] });
      // @ts-expect-error not a counter
      tx.vote.increment("k", { title: 1 });
      // @ts-expect-error not a set
      tx.vote.add("k", { title: ["x"] });
      // @ts-expect-error not a member that the set may have
      tx.vote.add("k", { tags: ["green"] });
      // @ts-expect-error there is no such field to ask for
      await tx.project.query({ where: { nam: "x" } });
      // @ts-expect-error there is no such field to order by
      await tx.project.query({ orderBy: "nam" });
      // @ts-expect-error there is no such field on what is read
      void (await tx.project.get("k"))?.nam;
      tx.vote.put("k", { title: "t" });
      tx.vote.remove("k", { tags: ["blue"] });
      tx.project.restore("k", { name: "a" });
      await tx.vote.all();
    };
    expect(misuse).toBeTypeOf("function");
  });

  it("defineSchema's actions refuse a misspelt field in place", () => {
    const misspelt = defineSchema({
      version: 1,
      domains,
      actions: (action) => ({
        close: action(z.object({ id: z.string() }), async (tx, { id }) => {
          // @ts-expect-error there is no such field
          tx.project.update(id, { dnoe: true });
        }),
        open: action(z.object({ id: z.string() }), async (tx, args) => {
          // @ts-expect-error there is no such argument
          tx.project.update(args.key, { done: false });
        }),
      }),
    });
    expect(Object.keys(misspelt.actions)).toEqual(["close", "open"]);
  });

  it("domains declared in place keep their types, and the order of the options does not matter", () => {
    const inPlace = defineSchema({
      actions: (action) => ({
        vote: action(z.object({ id: z.string() }), async (tx, { id }) => {
          tx.vote.increment(id, { count: 1 });
          // @ts-expect-error not a counter
          tx.vote.increment(id, { title: 1 });
          // @ts-expect-error counters are incremented
          tx.vote.update(id, { count: 1 });
          // @ts-expect-error a local domain does not exist on the server
          void tx.draft;
          // @ts-expect-error the domain has no counters
          tx.poll.increment(id, { name: 1 });
        }),
      }),
      migrations: {
        2: {
          domains: {
            vote: {
              map: { title: (title) => `${title as string}!` },
              fields: (old) => old,
              update: (old) => old,
            },
          },
        },
      },
      domains: {
        poll: records({ fields: z.object({ name: z.string() }) }),
        vote: records({
          fields: z.object({ pollId: z.string(), title: z.string(), count: z.number() }),
          merge: { count: counter() },
          parent: { domain: "poll", field: "pollId", onDelete: "cascade" },
          unique: [["pollId", "title"]],
        }),
        draft: records({ fields: z.object({ text: z.string() }), local: true }),
      },
      version: 2,
    });
    expectTypeOf<keyof Tx<NonNullable<(typeof inPlace)["~types"]>["domains"]>>().toEqualTypeOf<
      "poll" | "vote"
    >();
    expectTypeOf<PutOf<(typeof inPlace)["domains"]["vote"]>>().toEqualTypeOf<{
      pollId: string;
      title: string;
    }>();
    expect(inPlace.domains.poll.children).toHaveLength(1);
  });

  it("records refuses fields that the validator does not have", () => {
    const fields = z.object({
      title: z.string(),
      count: z.number(),
      tags: z.array(z.string()),
      when: z.number().optional(),
    });
    // @ts-expect-error there is no such field
    records({ fields, merge: { cuont: counter() } });
    // @ts-expect-error text is no counter
    records({ fields, merge: { title: counter() } });
    // @ts-expect-error a number is no set
    records({ fields, merge: { count: set() } });
    // @ts-expect-error there is no such field
    records({ fields, unique: [["titel"]] });
    // @ts-expect-error a counter cannot be unique
    records({ fields, merge: { count: counter() }, unique: [["count"]] });
    // @ts-expect-error there is no such field
    records({ fields, indexes: [["titel"]] });
    // @ts-expect-error a set has no order
    records({ fields, merge: { tags: set() }, indexes: [["tags"]] });
    // @ts-expect-error the parent's key is text
    records({ fields, parent: { domain: "x", field: "count", onDelete: "keep" } });
    // @ts-expect-error not built yet
    records({ fields, sealed: true });
    expect(
      records({ fields, merge: { count: counter() }, unique: [["title", "when"]], indexes: [["count"]] })
        .kind,
    ).toBe("records");
  });

  it("records refuses validators whose output cannot be kept, or validated again", () => {
    // @ts-expect-error a date is not JSON
    records({ fields: z.object({ at: z.date() }) });
    // @ts-expect-error neither is one inside
    records({ fields: z.object({ at: z.array(z.object({ day: z.bigint() })) }) });
    // @ts-expect-error the output is no valid input
    records({ fields: z.object({ size: z.string().transform((text) => text.length) }) });
    // @ts-expect-error a record shows its key under this name
    records({ fields: z.object({ key: z.string() }) });
    // @ts-expect-error a record is an object
    records({ fields: z.string() });
    records({
      fields: z.object({
        any: z.json(),
        list: z.array(z.string()).readonly(),
        brand: z.string().brand("b"),
        n: z.coerce.number(),
      }),
    });
    records({
      fields: z.object({
        a: z.string().nullish(),
        u: z.union([z.string(), z.object({ x: z.number() })]),
        r: z.record(z.string(), z.number()),
      }),
    });
    records({ fields: z.looseObject({ a: z.string() }) });
  });

  it("unions of objects keep the fields of all their members", () => {
    const shape = records({
      fields: z.discriminatedUnion("kind", [
        z.object({ kind: z.literal("circle"), radius: z.number() }),
        z.object({ kind: z.literal("box"), width: z.number() }),
      ]),
    });
    expectTypeOf<LwwKeys<typeof shape>>().toEqualTypeOf<"kind" | "radius" | "width">();
    expectTypeOf<PatchOf<typeof shape>>().toEqualTypeOf<{
      readonly kind?: "circle" | "box";
      readonly radius?: number;
      readonly width?: number;
    }>();
  });

  it("a parent must be a domain of the schema", () => {
    const child = records({
      fields: z.object({ up: z.string() }),
      parent: { domain: "projekt", field: "up", onDelete: "keep" },
    });
    const orphaned = { project: domains.project, child };
    // @ts-expect-error there is no domain of this name
    expect(() => defineSchema({ version: 1, domains: orphaned })).toThrow('no domain "projekt"');
    const rename = { title: "name" };
    const misnamed = () =>
      // @ts-expect-error migrations name domains too
      defineSchema({ version: 2, domains, migrations: { 2: { domains: { projekt: { rename } } } } });
    expect(misnamed).toThrow('no domain "projekt"');
  });

  it("a schema is a Schema, and gives its types to functions over it", () => {
    const plain: Schema = schema;
    const first = <S extends DomainMap, A extends ActionMap>(
      of: Schema<S, A>,
    ): { domains?: S; actions?: A } => ({ ...of["~types"] });
    const typed = first(schema);
    expectTypeOf<keyof NonNullable<typeof typed.domains>>().toEqualTypeOf<keyof D>();
    expectTypeOf<keyof NonNullable<typeof typed.actions>>().toEqualTypeOf<"closeProject">();
    expect(plain.version).toBe(3);
  });

  it("where and orderBy are typed by the fields", () => {
    type F = FieldsOf<D["controlpoint"]>;
    const query: Query<F> = {
      where: { label: { in: ["a"] }, key: "k", at: { eq: { x: 1, y: 2 } } },
      orderBy: [
        ["label", "desc"],
        ["key", "asc"],
      ],
    };
    const absent: Where<FieldsOf<D["project"]>> = { note: null, done: { ne: true } };
    const has: Where<FieldsOf<D["vote"]>> = { tags: { has: "red" } };
    // @ts-expect-error the wrong type
    const wrong: Where<F> = { label: { gt: 1 } };
    // @ts-expect-error no such direction
    const sideways: Query<F> = { orderBy: [["label", "up"]] };
    // @ts-expect-error a required field is never absent
    const never: Where<F> = { label: null };
    expect([query, absent, has, wrong, sideways, never]).toHaveLength(6);
    const rows = [{ key: "a", label: "x", projectId: "p", at: { x: 1, y: 2 } }];
    expectTypeOf(select(rows, { where: { label: "x" } })).toEqualTypeOf<(typeof rows)[number][]>();
  });
});
