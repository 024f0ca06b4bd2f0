import { type Receipt, SyncError } from "@landfall/client";
import type { Fields, Json } from "@landfall/protocol";
import type { SettledOutcome } from "@landfall/client/space/settlement";
import { WriteError } from "@landfall/client/space/domain-writes";
import { StorageError } from "@landfall/client/storage/port";
import type { Issue, SettledAs } from "./history.js";
import type { Act } from "./plan.js";
import type { DomainName } from "./schema.js";
import type { Tab, WorldSpace } from "./tab.js";

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
    tab.client.sync().catch((error: unknown) => {
      if (!(error instanceof SyncError)) world.fault(`sync of ${tab.program.name} failed`, error);
    });
    return false;
  }
  world.recorder.hold();
  try {
    const written = write(tab, space, spaceName, withMood(tab, possible(space, what)));
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

/** Who has the newer version of the app says how they feel. */
function withMood({ version }: Tab, what: Act): Act {
  if (version === 1 || what.do !== "edit" || what.domain !== "note") return what;
  return { ...what, set: { ...what.set, mood: `mood of ${JSON.stringify(what.set)}` } };
}

function write(tab: Tab, space: WorldSpace, spaceName: string, what: Act): Written | undefined {
  switch (what.do) {
    case "edit": {
      const domain = domainOf(space, what.domain);
      const isThere = domain.get(what.key) !== undefined;
      const receipt = isThere
        ? domain.update(what.key, what.set, what.unset ? { unset: what.unset } : {})
        : domain.put(what.key, what.set);
      return { receipt, at: [what.domain, what.key] };
    }
    case "create":
      return {
        receipt: domainOf(space, what.domain).create(what.set, { key: what.key }),
        at: [what.domain, what.key],
      };
    case "restore":
      return {
        receipt: domainOf(space, what.domain).restore(what.key, what.set),
        at: [what.domain, what.key],
      };
    case "expect":
      return {
        receipt: domainOf(space, what.domain).update(what.key, what.set, { expect: "current" }),
        at: [what.domain, what.key],
      };
    case "increment":
      return { receipt: space.note.increment(what.key, { votes: what.by }), at: ["note", what.key] };
    case "mark": {
      const members = { marks: [...what.marks] };
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
          tx.note.add("probe", { marks: [what.mark] });
          tx.folder.put("counted", { name: what.mark });
        }),
        at: ["note", "probe"],
      };
    case "pair":
      return {
        receipt: space.write((tx) => {
          tx.note.put(pairKeys.note, { title: what.token });
          tx.folder.put(pairKeys.folder, { name: what.token });
        }),
        at: ["note", pairKeys.note],
      };
    case "pay": {
      const args = { from: what.from, to: what.to, coins: what.coins };
      return { receipt: space.actions.pay(args), action: "pay", args };
    }
    case "revive": {
      const args = { key: what.key, title: what.title };
      return { receipt: space.actions.revive(args), action: "revive", args };
    }
    case "inbox":
      return fromInbox(tab, space, spaceName, what.at, what.choice);
    default:
      return undefined;
  }
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
    return { receipt, action: event.action, args: event.args ?? null, fromItem: item.id };
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
