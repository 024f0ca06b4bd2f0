import { type Fields, type Json, type Op, type RandomPort, randomIdentifier } from "@landfall/protocol";
import type { Domain, Schema } from "@landfall/schema";
import { WriteError, writtenAgain } from "./domain-writes.js";
import type { PendingEvent } from "../replica/pending-event.js";
import { submitLocal } from "./domain-handle.js";
import type { InboxChoice, InboxItem } from "./inbox-item.js";
import type { NewEvent, Receipt } from "./receipt.js";
import type { SpaceSession } from "./space-session.js";
import { dropItem } from "./space-store.js";

/** What did not come to be as it was written, until a person has decided (DESIGN §8). Newest last. */
export interface InboxHandle {
  /** A new list exactly when something in it changed. */
  readonly current: readonly InboxItem[];
  subscribe(listener: () => void): () => void;
  /** Writes what was refused once more, as a new write. @throws WriteError if it cannot stand now either; the item stays. */
  retry(id: string): Receipt;
  /** Writes the value that lost, or was lost, again: it wins over what stands. @throws WriteError */
  writeAgain(id: string): Receipt;
  /** Keeps what was tried as a record of its own, under a new key. @throws WriteError */
  keepCopy(id: string): Receipt & { readonly key: string };
  dismiss(id: string): Promise<void>;
}

/** What is written again is checked against the schema as every write is. */
export function inboxHandle(session: SpaceSession, schema: Schema, random: RandomPort): InboxHandle {
  let current: readonly InboxItem[] | undefined;
  session.subscribeInbox(() => (current = undefined));

  /** Items whose write is on its way to the storage: a button pressed twice must not write twice. */
  const underWay = new Set<string>();
  const find = (id: string, choice: InboxChoice): InboxItem => {
    const item = session.inbox.get(underWay.has(id) ? "" : id);
    if (!item) throw new WriteError("missing", "That item has been dealt with already.");
    if (!item.choices.includes(choice))
      throw new WriteError("invalid", `That item is not for ${choice}; see its choices.`);
    return item;
  };
  const domainOf = ({ domain = "" }: InboxItem): Domain => {
    const found = schema.domain(domain);
    if (!found) throw new WriteError("unknown_domain", `The schema has no domain ${domain} any more.`);
    return found;
  };
  const dismiss = async (ids: readonly string[]): Promise<void> => {
    session.changeInbox([], ids);
    session.context.publish(session.space, { type: "inbox", put: [], drop: ids });
    await session.save(...ids.map((id) => dropItem(session.space, id)));
  };
  /** The write that deals with an item is durable before the item goes. */
  const dealtWith = (receipt: Receipt, ids: readonly string[]): void => {
    for (const id of ids) underWay.add(id);
    const done = (): void => ids.forEach((id) => underWay.delete(id));
    // What cannot be stored stays in the inbox for the next start.
    void receipt.saved.then(() => dismiss(ids)).then(done, done);
  };
  /** A domain may have become local since: what was written to it goes to the device's own records. */
  const written = (ops: readonly Op[], expect?: NewEvent["expect"]): Receipt => {
    const [op] = ops;
    return op && ops.length === 1 && schema.domain(op.domain)?.local
      ? submitLocal(session, op)
      : session.writeOps(ops, expect);
  };
  return {
    get current() {
      current ??= [...session.inbox.values()].sort((a, b) => a.madeAt - b.madeAt || (a.id < b.id ? -1 : 1));
      return current;
    },
    subscribe: (listener) => session.subscribeInbox(listener),
    retry(id) {
      const event = session.context.migrate(find(id, "retry").event as PendingEvent);
      const siblings = [...session.inbox.values()]
        .filter((item) => item.event?.id === event.id && item.kind !== "superseded")
        .map((item) => item.id);
      const { ops, action, args = null } = event;
      const receipt = ops ? written(ops, restoredFrom(session, ops)) : session.write({ action, args });
      dealtWith(receipt, siblings);
      return receipt;
    },
    writeAgain(id) {
      const item = find(id, "writeAgain");
      const receipt = written([againOp(session, domainOf(item), item)]);
      dealtWith(receipt, [id]);
      return receipt;
    },
    keepCopy(id) {
      const item = find(id, "keepCopy");
      const domain = domainOf(item);
      const fields = session.replica.fields(domain.name, item.key ?? "") ?? item.before;
      const key = randomIdentifier(random);
      const set = writtenAgain(domain, key, { ...fields, ...(item.tried as Fields) });
      const receipt = written([{ op: "create", domain: domain.name, key, set }]);
      dealtWith(receipt, [id]);
      return { ...receipt, key };
    },
    dismiss: (id) => dismiss([id]),
  };
}

/** The op that writes again what lost, or was lost. @throws WriteError */
function againOp(session: SpaceSession, domain: Domain, { key = "", field, tried }: InboxItem): Op {
  const { name } = domain;
  const current = session.replica.fields(name, key);
  if (field === undefined && !current)
    return { op: "create", domain: name, key, set: writtenAgain(domain, key, tried as Fields) };
  // A field goes into the record that it was of. Where that is gone, it makes none by itself.
  if (!current) throw new WriteError("missing", `There is no ${name} ${key} any more.`);
  const unset = field !== undefined && tried === undefined ? [field] : [];
  const again = field === undefined ? lwwOnly(session, name, tried as Fields) : { [field]: tried as Json };
  const names = Object.keys(again).filter((each) => !unset.includes(each));
  const record = Object.entries({ ...current, ...again }).filter(([each]) => !unset.includes(each));
  const set = writtenAgain(domain, key, Object.fromEntries(record), names);
  return { op: "update", domain: name, key, set, ...(unset.length > 0 && { unset }) };
}

/** What a restore must expect: the tombstone that stands now (DESIGN rule 7). Other conditions a retry gives up. */
function restoredFrom(session: SpaceSession, ops: readonly Op[]): NewEvent["expect"] {
  const restored = ops.flatMap((op) => (op.op === "restore" ? [op] : []));
  if (restored.length === 0) return undefined;
  return restored.map(
    ({ domain, key }) => [domain, key, session.replica.baseRow(domain, key)?.version ?? 0] as const,
  );
}

/** Counters and sets are not written over: only their own ops change them. */
function lwwOnly(session: SpaceSession, domain: string, fields: Fields): Fields {
  const { kinds } = session.context.rules.domain(domain);
  return Object.fromEntries(Object.entries(fields).filter(([field]) => (kinds(field) ?? "lww") === "lww"));
}
