import { type Receipt, SyncError } from "@landfall/client";
import type { Fields, Json } from "@landfall/protocol";
import type { SettledOutcome } from "@landfall/client/space/settlement";
import { WriteError } from "@landfall/client/space/domain-writes";
import { StorageError } from "@landfall/client/storage/port";
import type { Issue, SettledAs } from "./history.js";
import type { Act } from "./plan.js";
import type { DomainName } from "./schema.js";
import type { Tab, WorldSpace } from "./tab.js";
import { type LooseActions, type Words, wordsOf } from "./words.js";

type Set = Readonly<Record<string, unknown>>;
/** A domain whose fields the compiler does not know: acts come from a plan. */
interface LooseDomain {
  get(key: string): object | undefined;
  create(fields: Set, options: { key: string }): Receipt;
  put(key: string, fields: Set): Receipt;
  update(key: string, patch: Set, options?: object): Receipt;
  increment(key: string, by: Set): Receipt;
  add(key: string, members: Set): Receipt;
  remove(key: string, members: Set): Receipt;
  delete(key: string): Receipt;
  deleteMany(keys: readonly string[]): Receipt;
  restore(key: string, fields: Set): Receipt;
}

const domainOf = (space: WorldSpace, domain: string): LooseDomain =>
  (space as unknown as { readonly [name: string]: LooseDomain })[domain] as LooseDomain;

/** What a write is about, for the history. */
interface Written {
  readonly receipt: Receipt;
  /** A record that it names; undefined for an action. */
  readonly at?: readonly [domain: string, key: string];
  readonly action?: string;
  readonly args?: Json;
  /** The version that this is in, where it is not the tab's. */
  readonly schema?: number;
  readonly fromItem?: string;
}

/** The records that the atomic write of a pair sets. */
const pairKeys = { note: "pair", folder: "pair" } as const;

/** Does in a tab what a person would do. @returns whether there was a write. */
export function act(tab: Tab, spaceName: string, what: Act): boolean {
  const { world } = tab.device;
  const space = tab.spaces.get(spaceName);
  if (!space) return false;
  world.trace.note(tab.program.name, "acts", `${spaceName} ${JSON.stringify(what)}`);
  if (what.do === "sync") {
    sync(tab);
    return false;
  }
  world.recorder.hold();
  try {
    if (what.do === "draft") {
      keepDraft(tab, space, spaceName, what);
      return false;
    }
    const written = write(tab, space, spaceName, possible(space, what));
    if (written) record(tab, space, spaceName, written);
    return written !== undefined;
  } catch (error) {
    if (!(error instanceof WriteError)) throw error;
    world.recorder.add({ type: "refused", ...tab.who, space: spaceName, code: error.code });
    return false;
  } finally {
    world.recorder.release();
  }
}

function sync({ client, program, who, version, device: { world } }: Tab): void {
  const { recorder } = world;
  const asked = recorder.entries.length;
  client.sync().then(
    () => {
      if (program.alive) recorder.add({ type: "synced", ...who, asked, schema: version });
    },
    (error: unknown) => {
      if (!(error instanceof SyncError)) world.fault(`sync of ${program.name} failed`, error);
    },
  );
}

/** Now and then a person tries what cannot be; mostly they do what the screen offers. */
function possible(space: WorldSpace, what: Act): Act {
  const isThere = (domain: string, key: string): boolean => domainOf(space, domain).get(key) !== undefined;
  const make = (domain: string, key: string, set: Set): Act => ({ do: "edit", domain, key, set });
  switch (what.do) {
    case "create":
    case "restore":
      return isThere(what.domain, what.key) ? make(what.domain, what.key, what.set) : what;
    case "expect":
      return isThere(what.domain, what.key) ? what : make(what.domain, what.key, what.set);
    case "increment":
      return isThere("note", what.key) ? what : make("note", what.key, { title: `counted ${what.by}` });
    case "mark":
      return isThere("note", what.key)
        ? what
        : make("note", what.key, { title: `marked ${what.marks.join()}` });
    case "delete":
      return isThere(what.domain, what.key) || what.otherwise === undefined
        ? what
        : make(what.domain, what.key, what.otherwise);
    case "probe":
      return isThere("note", "probe") ? what : make("note", "probe", { title: "probe" });
    default:
      return what;
  }
}

function write(tab: Tab, space: WorldSpace, spaceName: string, what: Act): Written | undefined {
  const words = wordsOf[tab.version];
  switch (what.do) {
    case "edit":
      return edit(space, words, what);
    case "create":
      return {
        receipt: domainOf(space, what.domain).create(words.set(what.domain, what.set), { key: what.key }),
        at: [what.domain, what.key],
      };
    case "restore":
      return {
        receipt: domainOf(space, what.domain).restore(what.key, words.set(what.domain, what.set)),
        at: [what.domain, what.key],
      };
    case "expect": {
      const set = words.change(what.domain, what.set);
      return {
        receipt: domainOf(space, what.domain).update(what.key, set, { expect: "current" }),
        at: [what.domain, what.key],
      };
    }
    case "increment":
      return { receipt: space.note.increment(what.key, { votes: what.by }), at: ["note", what.key] };
    case "mark": {
      const members = { marks: what.marks.map((mark) => words.member(mark)) };
      const receipt = what.add ? space.note.add(what.key, members) : space.note.remove(what.key, members);
      return { receipt, at: ["note", what.key] };
    }
    case "delete":
      return { receipt: domainOf(space, what.domain).delete(what.key), at: [what.domain, what.key] };
    case "deleteMany":
      return {
        receipt: domainOf(space, what.domain).deleteMany(what.keys),
        at: [what.domain, what.keys[0] as string],
      };
    case "probe":
      return {
        receipt: space.write((tx) => {
          tx.note.add("probe", { marks: [words.member(what.mark)] });
          putFolder(tx, words, "counted", what.mark);
        }),
        at: ["note", "probe"],
      };
    case "pair":
      return {
        receipt: space.write((tx) => {
          tx.note.put(pairKeys.note, { title: what.token });
          putFolder(tx, words, pairKeys.folder, what.token);
        }),
        at: ["note", pairKeys.note],
      };
    case "pay":
      return call(space, words.payment(what));
    case "revive":
      return call(space, { action: "revive", args: { key: what.key, title: what.title } });
    case "inbox":
      return fromInbox(tab, space, spaceName, what.at, what.choice);
    default:
      return undefined;
  }
}

function edit(
  space: WorldSpace,
  words: Words,
  { domain, key, set, unset }: Extract<Act, { readonly do: "edit" }>,
): Written {
  const loose = domainOf(space, domain);
  const options = unset ? { unset: unset.map((field) => words.field(field)) } : {};
  const receipt =
    loose.get(key) === undefined
      ? loose.put(key, words.set(domain, set))
      : loose.update(key, words.change(domain, set), options);
  return { receipt, at: [domain, key] };
}

const putFolder = (
  tx: Readonly<Record<"folder", unknown>>,
  words: Words,
  key: string,
  name: string,
): void => {
  const folder = tx.folder as { put(at: string, set: Set): void };
  folder.put(key, words.set("folder", { name }));
};

function call(
  space: WorldSpace,
  { action, args }: { readonly action: string; readonly args: Json },
): Written {
  const actions = space.actions as unknown as LooseActions;
  const run = actions[action] as LooseActions[string];
  return { receipt: run(args), action, args };
}

/** What is the device's own is written down by itself: no server ever hears of it. */
function keepDraft(
  tab: Tab,
  space: WorldSpace,
  spaceName: string,
  { key, text }: Extract<Act, { readonly do: "draft" }>,
): void {
  const { recorder } = tab.device.world;
  const domain = "draft";
  const fields = wordsOf[tab.version].draft(text);
  const { saved } = domainOf(space, domain).put(key, fields);
  const number = tab.device.world.drafts++;
  const written = { space: spaceName, domain, key, fields, schema: tab.version, number };
  recorder.add({ type: "localWrite", ...tab.who, ...written }, true);
  saved.then(
    () => {
      if (tab.program.alive) recorder.add({ type: "localSaved", ...tab.who, number });
    },
    (error: unknown) => {
      if (tab.program.alive && !(error instanceof StorageError))
        tab.device.world.fault("a draft could not be saved", error);
    },
  );
}

function fromInbox(
  tab: Tab,
  space: WorldSpace,
  spaceName: string,
  at: number,
  choice: "retry" | "writeAgain" | "keepCopy" | "dismiss",
): Written | undefined {
  const { inbox } = space;
  const items = inbox.current.filter(({ choices }) => choices.includes(choice));
  const item = items[at % Math.max(1, items.length)];
  if (!item) return undefined;
  const { world } = tab.device;
  const chosen = (): void =>
    world.recorder.add({ type: "choice", ...tab.who, space: spaceName, item: item.id, choice }, true);
  if (choice === "dismiss") {
    chosen();
    inbox.dismiss(item.id).catch((error: unknown) => {
      if (!(error instanceof StorageError)) world.fault("an item could not be dismissed", error);
    });
    return undefined;
  }
  const receipt = choice === "keepCopy" ? inbox.keepCopy(item.id) : inbox[choice](item.id);
  chosen();
  const copy = "key" in receipt ? (receipt.key as string) : undefined;
  const { event, domain, key } = item;
  if (choice === "retry" && event?.action !== undefined)
    return {
      receipt,
      action: event.action,
      args: event.args ?? null,
      ...(event.schema !== undefined && { schema: event.schema }),
      fromItem: item.id,
    };
  const [first] = event?.ops ?? [];
  const firstKey = first && ("key" in first ? first.key : first.keys?.[0]);
  const place = copy ?? key ?? firstKey;
  return {
    receipt,
    ...(place === undefined ? {} : { at: [domain ?? first?.domain ?? "", place] as const }),
    fromItem: item.id,
  };
}

/** What a receipt's write is made of, as the client explains it. */
function madeOf(
  space: WorldSpace,
  { receipt, at, action, args }: Written,
): Pick<Issue, "ops" | "action" | "args" | "expect"> {
  if (action !== undefined) return { action, args: args ?? null };
  if (!at) return {};
  const pending = space
    .explain(at[0] as DomainName, at[1])
    .pending.find(({ event }) => event.id === receipt.id);
  const { ops, expect } = pending?.event ?? {};
  return { ...(ops && { ops }), ...(expect && { expect }) };
}

function shows(space: WorldSpace, ops: Issue["ops"]): Issue["shows"] {
  const places = (ops ?? []).flatMap((op) =>
    "key" in op ? [[op.domain, op.key] as const] : (op.keys ?? []).map((key) => [op.domain, key] as const),
  );
  return places.map(([domain, key]) => {
    const record = domainOf(space, domain).get(key) as (Fields & { key: string; $: unknown }) | undefined;
    if (!record) return [domain, key, null];
    const { key: _key, $: _meta, ...fields } = record;
    return [domain, key, fields];
  });
}

function record(tab: Tab, space: WorldSpace, spaceName: string, written: Written): void {
  const { world } = tab.device;
  const { receipt, fromItem } = written;
  const { recorder } = world;
  const { who, program } = tab;
  const made = madeOf(space, written);
  const event = receipt.id;
  world.trace.note(program.name, "wrote", event);
  recorder.add(
    {
      type: "issue",
      ...who,
      space: spaceName,
      event,
      ...made,
      shows: shows(space, made.ops) ?? [],
      schema: written.schema ?? tab.version,
      ...(fromItem !== undefined && { fromItem }),
    },
    true,
  );
  const ifAlive = (add: () => void) => (): void => {
    if (program.alive) add();
  };
  const unsaved = (error: unknown): void => {
    if (!program.alive) return;
    const code = error instanceof StorageError ? error.code : "unknown";
    if (code === "unknown") world.fault("a write could not be saved", error);
    recorder.add({ type: "unsaved", ...who, event, code });
  };
  receipt.saved.then(
    ifAlive(() => recorder.add({ type: "saved", ...who, event })),
    unsaved,
  );
  receipt.shown.then(
    ifAlive(() => recorder.add({ type: "shown", ...who, event })),
    (error: unknown) => world.fault("a write is never shown", error),
  );
  receipt.settled.then(
    (outcome) => {
      if (!program.alive) return;
      world.trace.note(program.name, "settled", `${event} ${outcome.status}`);
      recorder.add({ type: "settled", ...who, space: spaceName, event, outcome: settledAs(outcome) });
    },
    (error: unknown) => world.fault("a write never settles", error),
  );
}

function settledAs(outcome: SettledOutcome): SettledAs {
  const { index, modifiedAt, code, superseded } = outcome as Partial<SettledAs>;
  const details = {
    ...(index !== undefined && { index }),
    ...(modifiedAt !== undefined && { modifiedAt }),
    ...(code !== undefined && { code }),
    ...(superseded && { superseded }),
  };
  return outcome.status === "duplicate"
    ? { status: outcome.of, again: true, ...details }
    : { status: outcome.status, ...details };
}
