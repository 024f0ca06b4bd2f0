import type { Fields, Json } from "@landfall/protocol";

/** What the second version of the app makes of the first. */
export interface PlainMigration {
  /** What a field is called now; undefined where there is none. */
  nameOf(domain: string, field: string): string | undefined;
  /** What takes the place of a field: those that are written, or cleared, where it was. */
  madeOf(domain: string, field: string): readonly string[];
  /** What becomes of a field that a record has, or that an update sets. */
  valueOf(domain: string, field: string, value: Json): Fields;
  /** What whole records have that had none of it. */
  addedTo(domain: string): Fields;
  call(action: string, args: Json): { readonly action: string; readonly args: Json };
}

const names: Readonly<Record<string, string | undefined>> = {
  "note.body": "text",
  "folder.color": undefined,
  "task.done": undefined,
  "purse.coins": "cents",
  "draft.text": "words",
};

const values: Readonly<Record<string, (value: Json) => Fields>> = {
  "note.body": (body) => ({ text: body }),
  "note.marks": (marks) => ({ marks: (marks as readonly string[]).map((mark) => `#${mark}`) }),
  "folder.color": () => ({}),
  "folder.name": (name) => {
    const [, kind = "", label = ""] = /^([^ ]*) ?(.*)$/s.exec(name as string) ?? [];
    return { kind, label };
  },
  "task.done": () => ({}),
  "purse.coins": (coins) => ({ cents: (coins as number) * 100 }),
  "draft.text": (text) => ({ words: `${text as string}.` }),
};

/** The migration of the world's schema once more, written without a look at the product's way of running it. */
export const plainMigration: PlainMigration = {
  nameOf: (domain, field) => {
    const name = `${domain}.${field}`;
    return Object.hasOwn(names, name) ? names[name] : field;
  },
  madeOf(domain, field) {
    if (domain === "folder" && field === "name") return ["kind", "label"];
    const name = this.nameOf(domain, field);
    return name === undefined ? [] : [name];
  },
  valueOf: (domain, field, value) => values[`${domain}.${field}`]?.(value) ?? { [field]: value },
  addedTo: (domain): Fields => (domain === "task" ? { size: 1 } : {}),
  call(action, args) {
    if (action !== "pay") return { action, args };
    const { from, to, coins } = args as {
      readonly from: string;
      readonly to: string;
      readonly coins: number;
    };
    return { action: "transfer", args: { from, to, cents: 100 * coins } };
  },
};
