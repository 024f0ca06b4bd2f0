import { type Fields, type Json, type Op, type RandomPort, randomIdentifier } from "@landfall/protocol";
import { WriteError } from "./domain-writes.js";
import type { InboxItem } from "./inbox-item.js";
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

export function inboxHandle(session: SpaceSession, random: RandomPort): InboxHandle {
  let current: readonly InboxItem[] | undefined;
  session.subscribeInbox(() => (current = undefined));

  /** Items whose write is on its way to the storage: a button pressed twice must not write twice. */
  const underWay = new Set<string>();
  const find = (id: string): InboxItem => itemOf(session, underWay.has(id) ? "" : id);
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
      const { event } = find(id);
      if (!event) throw new WriteError("invalid", "The item has no write to retry.");
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
      const item = find(id);
      const { domain, key } = place(item);
      const standing = session.replica.get(domain, key);
      const unset = item.field !== undefined && item.tried === undefined;
      const receipt = session.writeOps([
        standing
          ? {
              op: "update",
              domain,
              key,
              ...(unset ? { unset: [item.field] } : { set: lwwOnly(session, domain, triedFields(item)) }),
            }
          : { op: "create", domain, key, set: triedFields(item) },
      ]);
      dealtWith(receipt, [id]);
      return receipt;
    },
    keepCopy(id) {
      const item = find(id);
      const { domain, key } = place(item);
      const {
        key: _key,
        $: _meta,
        ...fields
      } = (session.replica.get(domain, key) ?? item.before ?? {}) as unknown as Record<string, Json>;
      const copy = randomIdentifier(random);
      const receipt = session.writeOps([
        { op: "create", domain, key: copy, set: { ...fields, ...triedFields(item) } },
      ]);
      dealtWith(receipt, [id]);
      return { ...receipt, key: copy };
    },
    dismiss: (id) => dismiss([id]),
  };
}

function itemOf(session: SpaceSession, id: string): InboxItem {
  const item = session.inbox.get(id);
  if (!item) throw new WriteError("missing", "That item has been dealt with already.");
  return item;
}

function place(item: InboxItem): { readonly domain: string; readonly key: string } {
  if (item.domain === undefined || item.key === undefined)
    throw new WriteError("invalid", "The item is of no single record; retry or dismiss it.");
  return { domain: item.domain, key: item.key };
}

function triedFields(item: InboxItem): Fields {
  return item.field === undefined ? ((item.tried ?? {}) as Fields) : { [item.field]: item.tried as Json };
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
