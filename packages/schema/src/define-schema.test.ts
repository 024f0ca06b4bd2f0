import { describe, expect, it } from "vitest";
import { z } from "zod";
import { SchemaError, counter, defineSchema, records, set } from "./index.js";

const fields = z.object({
  name: z.string(),
  up: z.string().optional(),
  count: z.number().optional(),
  tags: z.array(z.string()).optional(),
});

/** Defines what the compiler would refuse, as an app in plain JavaScript might. */
const define = (options: unknown): unknown => defineSchema(options as Parameters<typeof defineSchema>[0]);
const declare = (options: object): unknown => records({ fields, ...options });
const withOptions =
  (options: object): (() => unknown) =>
  () =>
    define({ version: 1, domains: { task: declare(options) } });
const withDomains =
  (domains: object): (() => unknown) =>
  () =>
    define({ version: 1, domains });

describe("defineSchema: what both sides read (DESIGN §5.2)", () => {
  const schema = defineSchema({
    version: 2,
    domains: {
      project: records({ fields }),
      task: records({
        fields,
        merge: { count: counter(), tags: set() },
        parent: { domain: "project", field: "up", onDelete: "restrict" },
        unique: [["name", "up"]],
        indexes: [["up", "count"]],
        delivery: "auto",
        residency: "memory",
      }),
      draft: records({ fields, local: true, indexes: [["name"]] }),
    },
  });

  it("describes each domain", () => {
    expect(schema.version).toBe(2);
    expect(Object.keys(schema.domains)).toEqual(["project", "task", "draft"]);
    expect(schema.domains.task).toMatchObject({
      name: "task",
      kind: "records",
      local: false,
      delivery: "auto",
      unique: [["name", "up"]],
      indexes: [["up", "count"]],
      parent: { domain: "project", field: "up", onDelete: "restrict" },
      children: [],
    });
    expect(schema.domains.project).toMatchObject({
      local: false,
      delivery: "watch",
      unique: [],
      indexes: [],
      parent: undefined,
      children: [{ domain: "task", field: "up", onDelete: "restrict" }],
    });
    expect(schema.domains.draft.local).toBe(true);
  });

  it("says how each field merges, as a function that stands alone", () => {
    const { fieldKind } = schema.domains.task;
    expect(["name", "count", "tags", "toString", "other"].map(fieldKind)).toEqual([
      "lww",
      "counter",
      "set",
      "lww",
      "lww",
    ]);
  });

  it("finds domains and actions by text from outside, and nothing else", () => {
    expect(schema.domain("task")).toBe(schema.domains.task);
    for (const name of ["tusk", "__proto__", "constructor", "toString", ""]) {
      expect(schema.domain(name)).toBeUndefined();
      expect(schema.action(name)).toBeUndefined();
    }
  });

  it("is immutable", () => {
    const { task } = schema.domains;
    for (const part of [
      schema,
      schema.domains,
      schema.actions,
      schema.migrations,
      task,
      task.unique,
      task.unique[0],
      task.parent,
      task.children,
      schema.domains.project.children[0],
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it("does not follow later changes of what it was given", () => {
    const unique: ["name" | "up"][] = [["name"]];
    const defined = defineSchema({ version: 1, domains: { task: records({ fields, unique }) } });
    unique[0]?.push("up");
    expect(defined.domains.task.unique).toEqual([["name"]]);
  });
});

describe("defineSchema refuses what cannot stand, and says what to do", () => {
  const refused: readonly (readonly [string, () => unknown, string])[] = [
    ["nothing", () => define(undefined), "defineSchema: must be an object with version, domains"],
    [
      "a misspelt option",
      () => define({ version: 1, domain: {} }),
      'no option "domain". Did you mean "domains"?',
    ],
    [
      "no version",
      () => define({ domains: {} }),
      "version: events name it, so it is a whole number from 1, not undefined",
    ],
    ["a version of 0", () => define({ version: 0, domains: {} }), "not 0"],
    ["a broken version", () => define({ version: 1.5, domains: {} }), "not 1.5"],
    ["no domains", () => define({ version: 1 }), "domains are missing"],
    [
      "a domain that is something else",
      withDomains({ task: { fields } }),
      'domain "task": there is no kind "undefined". Known are: records({ fields: … })',
    ],
    ["a domain that is nothing", withDomains({ task: null }), "Known are: records("],
    ["a domain name with a space", withDomains({ "my task": declare({}) }), "a name has 1–128 characters"],
    [
      "a domain called constructor",
      withDomains({ constructor: declare({}) }),
      "is not __proto__, constructor or prototype",
    ],
    ["a domain called __proto__", withDomains(JSON.parse('{"__proto__":1}') as object), "is not __proto__"],
    ["a domain that a handle could not show", withDomains({ inbox: declare({}) }), "uses this name itself"],
    [
      "a misspelt domain option",
      withOptions({ indexs: [] }),
      'domain "task": there is no option "indexs". Did you mean "indexes"?',
    ],
    ["an option like none", withOptions({ frobnicate: 1 }), "Known are: fields, merge"],
    ["no validator", withOptions({ fields: undefined }), "one Standard Schema validator"],
    [
      "fields one by one",
      withOptions({ fields: { name: fields } }),
      "text(), .sealed() or blob(), are not built yet",
    ],
    ["a marker that is none", withOptions({ merge: { name: "counter" } }), "counter() or set()"],
    ["a marker on no field", withOptions({ merge: { "na me": counter() } }), "cannot be the name of a field"],
    [
      "unique that is no list",
      withOptions({ unique: ["name"] }),
      'list of lists of fields, such as [["status", "due"]]',
    ],
    ["an empty index", withOptions({ indexes: [[]] }), "list of lists"],
    ["unique twice", withOptions({ unique: [["name"], ["name"]] }), "names the same fields twice"],
    [
      "a field twice in an index",
      withOptions({ indexes: [["name", "name"]] }),
      "names the same fields twice",
    ],
    ["a field that cannot be", withOptions({ indexes: [["__proto__"]] }), "cannot be the name of a field"],
    ["an index on the key's name", withOptions({ indexes: [["key"]] }), "cannot be the name of a field"],
    [
      "a unique counter",
      withOptions({ merge: { count: counter() }, unique: [["count"]] }),
      'unique cannot hold "count", which is a counter',
    ],
    [
      "an index on a set",
      withOptions({ merge: { tags: set() }, indexes: [["tags"]] }),
      'indexes cannot hold "tags", which is a set',
    ],
    [
      "another delivery",
      withOptions({ delivery: "push" }),
      'delivery is one of ["auto","watch"], not "push"',
    ],
    ["local that is no boolean", withOptions({ local: "yes" }), 'local is one of [true,false], not "yes"'],
    ["local and unique", withOptions({ local: true, unique: [["name"]] }), "never leaves the device"],
    ["local and delivery", withOptions({ local: true, delivery: "auto" }), '"delivery" is for the server'],
    [
      "local and parent",
      withOptions({ local: true, parent: { domain: "x", field: "up", onDelete: "keep" } }),
      '"parent" is for the server',
    ],
    [
      "actions that are not a function",
      () => define({ version: 1, domains: {}, actions: {} }),
      "Write actions: (action) => ({",
    ],
    [
      "an action made otherwise",
      () => define({ version: 1, domains: {}, actions: () => ({ close: () => 1 }) }),
      'action "close": it is not made with the action that is handed in',
    ],
    [
      "an action of a bad name",
      () => define({ version: 1, domains: {}, actions: () => ({ "a b": 1 }) }),
      'action "a b"',
    ],
  ];
  it.each(refused)("%s", (_, attempt, message) => {
    expect(attempt).toThrow(SchemaError);
    expect(attempt).toThrow(message);
  });

  it.each(["sealed", "signed", "partition", "mode", "checkout", "crdt", "log", "entry", "blob"])(
    "%s is refused by name until it is built",
    (option) => {
      expect(withOptions({ [option]: true })).toThrow(`domain "task": "${option}" is not built yet`);
    },
  );

  it.each([
    ["residency", withOptions({ residency: "disk" })],
    ["log", withDomains({ task: { kind: "log" } })],
    ["documents", withDomains({ task: { kind: "documents" } })],
  ])("%s is refused by name until it is built, as a value too", (name, attempt) => {
    expect(attempt).toThrow(`domain "task": "${name}" is not built yet`);
  });
});

describe("parent: one level of master and detail", () => {
  const child = (parent: object, more: object = {}): unknown =>
    declare({ parent: { domain: "project", field: "up", onDelete: "keep", ...parent }, ...more });
  const domains = (task: unknown, more: object = {}): (() => unknown) =>
    withDomains({ project: declare({}), task, ...more });

  it("takes each way of deleting", () => {
    for (const onDelete of ["cascade", "restrict", "keep"])
      expect(domains(child({ onDelete }))).not.toThrow();
  });

  it.each([
    [
      "a domain that is not there",
      domains(child({ domain: "projekt" })),
      'no domain "projekt". Did you mean "project"?',
    ],
    ["a name from the prototype", domains(child({ domain: "toString" })), 'no domain "toString"'],
    ["itself", domains(child({ domain: "task" })), "one level of master and detail"],
    [
      "a local domain",
      domains(child({ domain: "draft" }), { draft: declare({ local: true }) }),
      '"draft" is local',
    ],
    [
      "a domain with a parent",
      domains(child({}), { step: child({ domain: "task" }) }),
      '"task" has a parent itself, "project"',
    ],
    ["a field that cannot be", domains(child({ field: "u p" })), "cannot be the name of a field"],
    [
      "a counter",
      domains(child({ field: "count" }, { merge: { count: counter() } })),
      "holds a key, so it cannot be a counter or a set",
    ],
    [
      "no onDelete",
      domains(child({ onDelete: undefined })),
      'is one of ["cascade","restrict","keep"], not undefined',
    ],
    ["another onDelete", domains(child({ onDelete: "forget" })), 'not "forget"'],
    ["a misspelt option", domains(child({ ondelete: "keep" })), 'Did you mean "onDelete"?'],
  ])("refuses %s", (_, attempt, message) => {
    expect(attempt).toThrow(SchemaError);
    expect(attempt).toThrow(message);
  });
});

describe("migrations are checked when they are declared", () => {
  const migrate =
    (migrations: unknown): (() => unknown) =>
    () =>
      define({ version: 3, domains: { task: declare({}) }, migrations });
  const onTask = (changes: unknown): (() => unknown) => migrate({ 2: { domains: { task: changes } } });

  it("a version may have none", () => {
    expect(migrate({})).not.toThrow();
    expect(migrate({ 3: {} })).not.toThrow();
    expect(
      onTask({ drop: ["a"], rename: { b: "c", c: "b" }, map: { c: String }, add: { d: null } }),
    ).not.toThrow();
  });

  it.each([
    ["version 1", migrate({ 1: {} }), "whole numbers from 2 to 3"],
    ["a version to come", migrate({ 4: {} }), "whole numbers from 2 to 3"],
    ["a word", migrate({ two: {} }), "migrations two: a schema of version 3 has migrations to whole numbers"],
    ["a function", migrate({ 2: () => undefined }), "migrations 2: must be an object with domains, actions"],
    ["a domain in the wrong place", migrate({ 2: { task: {} } }), 'migrations 2: there is no option "task"'],
    ["an unknown domain", migrate({ 2: { domains: { tusk: {} } } }), 'Did you mean "task"?'],
    ["a misspelt change", onTask({ renam: {} }), 'Did you mean "rename"?'],
    ["a field that cannot be", onTask({ rename: { a: "b c" } }), '"b c" cannot be the name of a field'],
    ["two fields in one", onTask({ rename: { a: "c", b: "c" } }), '"c" comes from two fields'],
    ["a field dropped and renamed", onTask({ drop: ["a"], rename: { a: "b" } }), "both dropped and renamed"],
    ["a map that is no function", onTask({ map: { a: 1 } }), '"a" must be a function'],
    ["fields without update", onTask({ fields: (old: object) => old }), "fields and update come together"],
    ["update without fields", onTask({ update: (old: object) => old }), "fields and update come together"],
    [
      "fields that are no function",
      onTask({ fields: 1, update: 1 }),
      '"fields" must be a function from the old to the new',
    ],
    [
      "an action that is no function",
      migrate({ 2: { actions: { close: "open" } } }),
      '"close" must be a function',
    ],
  ])("refuses %s", (_, attempt, message) => {
    expect(attempt).toThrow(SchemaError);
    expect(attempt).toThrow(message);
  });
});
