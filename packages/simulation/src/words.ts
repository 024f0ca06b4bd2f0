import type { Receipt } from "@landfall/client";
import type { Json } from "@landfall/protocol";
import type { SchemaVersion } from "./schema.js";

type Set = Readonly<Record<string, unknown>>;

/** How an app says what a person does. Plans are in the words of its first version. */
export interface Words {
  /** A whole record. */
  set(domain: string, set: Set): Set;
  /** A change of one that is there. */
  change(domain: string, set: Set): Set;
  field(name: string): string;
  member(mark: string): string;
  draft(text: string): Readonly<Record<string, string>>;
  payment(act: { readonly from: string; readonly to: string; readonly coins: number }): {
    readonly action: string;
    readonly args: Json;
  };
}

/** The actions of an app, whichever version of it. */
export type LooseActions = Readonly<Record<string, (args: Json) => Receipt>>;

const first: Words = {
  set: (_domain, set) => set,
  // Who paints a folder leaves its name alone; of that the second version has nothing left.
  change: (domain, set) => (domain === "folder" && "color" in set ? { color: set["color"] } : set),
  field: (name) => name,
  member: (mark) => mark,
  draft: (text) => ({ text }),
  payment: ({ from, to, coins }) => ({ action: "pay", args: { from, to, coins } }),
};

function setNow(domain: string, set: Set): Set {
  const { body, name, coins, color: _color, done: _done, ...rest } = set;
  switch (domain) {
    case "note":
      return { ...rest, ...(body !== undefined && { text: body }), mood: `mood of ${JSON.stringify(set)}` };
    case "folder":
      return { kind: "box", label: name };
    case "task":
      return { ...rest, size: 1 + ((set["number"] as number) % 3) };
    default:
      return { cents: (coins as number) * 100 + 1 };
  }
}

const second: Words = {
  set: setNow,
  change: setNow,
  field: (name) => (name === "body" ? "text" : name),
  member: (mark) => `#${mark}`,
  draft: (words) => ({ words }),
  payment: ({ from, to, coins }) => ({ action: "transfer", args: { from, to, cents: coins * 100 + 1 } }),
};

export const wordsOf: Readonly<Record<SchemaVersion, Words>> = { 1: first, 2: second };
