import type { Row } from "@landfall/protocol";
import type { CommittedEvent } from "@landfall/server/engine-types";
import { readBody } from "@landfall/server/exchange/outcome";
import type { MemberState, SpaceChanges, SpaceTransaction, Storage } from "@landfall/server/storage/port";
import type { Decided } from "./history.js";
import type { Recorder } from "./recorder.js";

/** What one batch has done so far, as its calls of the storage say. */
interface Batch {
  readonly space: string;
  generation: string;
  device: string;
  user: string;
  readonly decided: Decided[];
  readonly events: CommittedEvent[];
  readonly outcomes: { readonly seq: number; readonly id: string; readonly body: string }[];
  readonly pruned: { readonly domain: string; readonly upTo: number }[];
  readonly members: MemberState[];
  started:
    | {
        readonly generation: string;
        readonly parent: string | undefined;
        readonly reason: string;
        readonly at: number;
        readonly startedAt: number;
        /** The schema version of a space that is emptied. */
        readonly schema: number | undefined;
      }
    | undefined;
  /** The schema version of the rows, as the batch found it and as it left it. */
  schema: { readonly before: number; after: number };
  /** The horizon of each domain, as the batch found it. */
  horizons: Readonly<Record<string, number>>;
}

/**
 * A storage as it is, that writes down what each batch has made durable: the witness of the order. What was under way
 * when the process died is looked up when the storage is opened again.
 */
export class CommitRecorder {
  /** Batches of which nobody knows yet whether they were kept, in the order of their calls. */
  #open: Batch[] = [];

  constructor(readonly recorder: Recorder) {}

  wrap(storage: Storage): Storage {
    return {
      ...storage,
      write: async (space, run) => {
        const batch: Batch = {
          space,
          generation: "",
          device: "",
          user: "",
          decided: [],
          events: [],
          outcomes: [],
          pruned: [],
          members: [],
          started: undefined,
          schema: { before: 0, after: 0 },
          horizons: {},
        };
        this.#open.push(batch);
        try {
          const result = await storage.write(space, (transaction) => {
            // A group that was lost begins its batches anew.
            batch.events.length = batch.outcomes.length = batch.pruned.length = batch.members.length = 0;
            batch.started = undefined;
            return run(watched(transaction, batch));
          });
          this.#kept(batch);
          return result;
        } finally {
          this.#open = this.#open.filter((other) => other !== batch);
        }
      },
      read: (view) => storage.read(view),
      onCommit: (listener) => storage.onCommit(listener),
      stats: () => storage.stats(),
      close: () => storage.close(),
    };
  }

  /**
   * The storage was opened again after a crash: what was kept of what was under way is known now. On an older disk
   * it is there too where that was copied between the commit and the start of the next process.
   */
  async reopened(storage: Storage): Promise<void> {
    for (const batch of [...this.#open]) {
      const seq = batch.outcomes.at(-1)?.seq;
      const isKept = await storage.read(async (snapshot) => {
        const found = await snapshot.space(batch.space, batch.user);
        if (!found) return false;
        if (batch.started) return found.state.generation === batch.started.generation;
        // An older disk may not know the history that it was written to.
        if (found.state.generation !== batch.generation) {
          const ended = await snapshot.generations(batch.space);
          if (!ended.some(({ generation }) => generation === batch.generation)) return false;
        }
        if (isUpgrade(batch)) return found.state.schema >= batch.schema.after;
        const [member] = batch.members;
        if (member)
          return (await snapshot.space(batch.space, member.user))?.role === (member.role ?? "former");
        const [pruned] = batch.pruned;
        if (pruned) {
          return found.domains.some(
            ({ domain, horizon }) => domain === pruned.domain && horizon >= pruned.upTo,
          );
        }
        if (seq === undefined)
          return found.state.head >= (batch.events.at(-1)?.index ?? Number.POSITIVE_INFINITY);
        const writer = await snapshot.writer(batch.space, batch.generation, batch.device, batch.user);
        return (writer?.lastSeq ?? 0) >= seq;
      });
      // Not before it is known: the process may die over the question.
      this.#open = this.#open.filter((other) => other !== batch);
      if (isKept) this.#kept(batch);
    }
  }

  #kept(batch: Batch): void {
    const { space, started } = batch;
    if (started)
      this.recorder.add({
        type: "generation",
        space,
        generation: started.generation,
        ...(started.parent !== undefined && { parent: started.parent }),
        reason: started.reason as "created" | "wiped" | "restored",
        forkedAt: started.at,
        startedAt: started.startedAt,
        ...(started.reason === "restored" && { forgotten: batch.horizons }),
        ...(started.schema !== undefined && { schema: started.schema }),
      });
    for (const { user, role } of batch.members)
      this.recorder.add({ type: "member", space, user, ...(role && { role }) });
    for (const pruned of batch.pruned) this.recorder.add({ type: "pruned", space, ...pruned });
    const decided = decisions(batch);
    const upgrade = isUpgrade(batch) ? { schema: batch.schema.after } : {};
    if (decided.length > 0 || isUpgrade(batch))
      this.recorder.add({ type: "commit", space, generation: batch.generation, decided, ...upgrade });
  }
}

/** Whether it has brought the rows to another schema, which changes some of them or none. */
const isUpgrade = ({ schema }: Batch): boolean => schema.after !== schema.before;

function watched(transaction: SpaceTransaction, batch: Batch): SpaceTransaction {
  const own: Partial<SpaceTransaction> = {
    async open(device, user) {
      batch.device = device;
      batch.user = user;
      const opened = await transaction.open(device, user);
      batch.generation = opened?.state.generation ?? "";
      const { schema = 0 } = opened?.state ?? {};
      batch.schema = { before: schema, after: schema };
      batch.horizons = Object.fromEntries(
        (opened?.domains ?? []).map(({ domain, horizon }) => [domain, horizon]),
      );
      return opened;
    },
    save(changes: SpaceChanges) {
      const fresh = new Set(changes.outcomes?.fresh.map(({ id }) => id));
      for (const outcome of changes.outcomes?.outcomes ?? [])
        // What came under another device before was decided then, unless that is what was decided now.
        if (fresh.has(outcome.id) || outcome.body.includes('"id_conflict"')) batch.outcomes.push(outcome);
      if (changes.space) batch.schema.after = changes.space.schema;
      return transaction.save(changes);
    },
    saveMember(member) {
      batch.members.push(member);
      return transaction.saveMember(member);
    },
    pruneTombstones(domain, upTo, limit) {
      batch.pruned.push({ domain, upTo });
      return transaction.pruneTombstones(domain, upTo, limit);
    },
    startGeneration(start, state, wipe) {
      batch.started = { ...start, schema: wipe ? state.schema : undefined };
      return transaction.startGeneration(start, state, wipe);
    },
    publish(generation, events) {
      // A wipe tells of the generation that it begins.
      batch.generation = generation;
      batch.events.push(...events);
      transaction.publish(generation, events);
    },
  };
  return new Proxy(transaction, {
    get(target, name: keyof SpaceTransaction) {
      const member = own[name];
      if (member) return member;
      const value: unknown = target[name];
      return typeof value === "function" ? (value as () => void).bind(target) : value;
    },
  });
}

/** Everything that a batch decided: what was applied, as it was published, and the outcomes of the rest. */
function decisions({ events, outcomes, device, started }: Batch): Decided[] {
  const published = new Map(events.map((event) => [`${event.by} ${event.seq}`, event]));
  const decided: Decided[] = [];
  for (const { seq, id, body } of outcomes) {
    const recorded = readBody(body);
    if (recorded.status === "applied") {
      const event = published.get(`${device} ${seq}`);
      // A known event that comes under another seq, as from a clone, keeps its outcome there and does nothing more.
      if (!event) continue;
      published.delete(`${device} ${seq}`);
      decided.push({
        status: "applied",
        index: recorded.index,
        modifiedAt: recorded.modifiedAt,
        event: id,
        deviceId: device,
        seq,
        ...(recorded.eff && { eff: recorded.eff }),
        ...(recorded.superseded && { superseded: recorded.superseded }),
        ...(event.rows && { rows: event.rows.map(({ text }) => JSON.parse(text) as Row) }),
      });
    } else if (recorded.status !== "expired") {
      const code = recorded.status === "rejected" ? { code: recorded.code } : {};
      decided.push({ status: recorded.status, event: id, deviceId: device, seq, ...code });
    }
  }
  for (const { index, modifiedAt, by, seq, rows } of published.values()) {
    // A wipe leaves no rows to tell of.
    const told = rows ?? (started ? [] : undefined);
    decided.push({
      status: "applied",
      index,
      modifiedAt,
      deviceId: by,
      seq,
      ...(told && { rows: told.map(({ text }) => JSON.parse(text) as Row) }),
    });
  }
  return decided;
}
