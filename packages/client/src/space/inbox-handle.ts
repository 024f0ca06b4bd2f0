import type { Fields, Json, Op } from "@landfall/protocol";
import type { DomainHandle } from "./domain-handle.js";
import { WriteError } from "./domain-writes.js";
import type { PendingEvent } from "../replica/pending-event.js";
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

/** @param handles of the domains: what is written again is checked against the schema as every write is. */
export function inboxHandle(session: SpaceSession, handles: ReadonlyMap<string, DomainHandle>): InboxHandle {
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
  const handleOf = ({ domain = "" }: InboxItem): DomainHandle => {
    const handle = handles.get(domain);
    if (!handle) throw new WriteError("unknown_domain", `The schema has no domain ${domain} any more.`);
    return handle;
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
      const receipt = event.ops
        ? session.writeOps(event.ops, restoredFrom(session, event.ops))
        : session.write({ action: event.action, args: event.args ?? null });
      dealtWith(receipt, siblings);
      return receipt;
    },
    writeAgain(id) {
      const item = find(id, "writeAgain");
      const receipt = writeAgain(session, handleOf(item), item);
      dealtWith(receipt, [id]);
      return receipt;
    },
    keepCopy(id) {
      const item = find(id, "keepCopy");
      const handle = handleOf(item);
      const {
        key: _key,
        $: _meta,
        ...fields
      } = (handle.get(item.key ?? "") ?? item.before ?? {}) as unknown as Record<string, Json>;
      const receipt = handle.create({ ...fields, ...(item.tried as Fields) });
      dealtWith(receipt, [id]);
      return receipt;
    },
    dismiss: (id) => dismiss([id]),
  };
}

function writeAgain(
  session: SpaceSession,
  handle: DomainHandle,
  { domain = "", key = "", field, tried }: InboxItem,
): Receipt {
  // A field goes into the record that it was of. Where that is gone, it makes none by itself.
  if (field !== undefined)
    return tried === undefined
      ? handle.update(key, {} as never, { unset: [field as never] })
      : handle.update(key, { [field]: tried } as never);
  return handle.get(key)
    ? handle.update(key, lwwOnly(session, domain, tried as Fields) as never)
    : handle.create(tried as never, { key });
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
