import type { Fields, Op, Outcome, Row, Stamp } from "@landfall/protocol";
import { type Violation, ask } from "./checkers/checker.js";
import { checkers } from "./checkers/all.js";
import { replayed } from "./checkers/replayed.js";
import type { AnswerPart, Entry, History, SchemaFacts, Seen, Who } from "./history.js";
import { digestOf } from "./model/digest.js";
import { type ModelState, completeFields, nameOf, rowsOf, stampsOf } from "./model/model-row.js";

export const space = "site";
export const generation = "g1";

const schema: SchemaFacts = {
  domains: {
    note: { counters: ["votes"], sets: ["marks"] },
    folder: {},
    task: { unique: [["number"]], parent: { domain: "folder", field: "folder", onDelete: "cascade" } },
    purse: {},
  },
};

/** A stamp of that millisecond; the device's number is its tail. */
export function stampOf(ms: number, device: number, counter = 0): Stamp {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, "0")}-8000-00000000000${device}`;
}

export const who = (device: string, run = 1): Who => ({ device, tab: `${device}.a`, run });

/** Something of a history that a test may change. */
export type Loose<T> = { -readonly [K in keyof T]: T[K] };

/**
 * A history written by hand, step by step; each method is what one part of the world would have written down.
 * What is committed is said in full, and views are what the model holds, so that a test changes one thing to make it bad.
 */
export class Tale {
  readonly entries: Entry[] = [];
  #now = 1_000;
  #exchange = 0;
  readonly #devices = ["d1", "d2", "d3"];

  constructor() {
    this.add({ type: "serverStarted", server: "s1" });
    this.add({ type: "generation", space, generation, reason: "created", forkedAt: 0 });
  }

  get now(): number {
    return this.#now;
  }

  add(entry: Omit<Entry, "at"> & Record<string, unknown>): this {
    this.#now += 10;
    this.entries.push({ at: this.#now, ...entry } as unknown as Entry);
    return this;
  }

  start(device: string, outbox: readonly Stamp[] = [], run = 1): this {
    return this.add({ type: "started", ...who(device, run), outbox: { [space]: outbox } });
  }

  /** Writes, and is saved. */
  write(
    device: string,
    event: Stamp,
    ops: readonly Op[],
    shows?: readonly (readonly [string, string, Fields | null])[],
    run = 1,
  ): this {
    this.add({ type: "issue", ...who(device, run), space, event, ops, ...(shows ? { shows } : {}) });
    return this.add({ type: "saved", ...who(device, run), event });
  }

  act(device: string, event: Stamp, action: string, args: Fields): this {
    this.add({ type: "issue", ...who(device), space, event, action, args });
    this.add({ type: "saved", ...who(device), event });
    return this.add({ type: "shown", ...who(device), event });
  }

  /** @returns the exchange. */
  send(device: string, events: readonly (readonly [Stamp, number])[], cursor = 0, acked = 0): number {
    this.#exchange += 1;
    this.add({
      type: "request",
      ...who(device),
      exchange: this.#exchange,
      deviceId: device,
      spaces: [
        {
          space,
          generation,
          acked,
          cursors: { note: cursor },
          events: events.map(([id, seq]) => ({ id, seq })),
        },
      ],
    });
    return this.#exchange;
  }

  commit(...decided: readonly object[]): this {
    return this.add({ type: "commit", space, generation, decided });
  }

  answer(device: string, exchange: number, part: Partial<AnswerPart>): this {
    this.add({
      type: "answerLeft",
      exchange,
      server: "s1",
      http: 200,
      spaces: [{ space, generation, outcomes: [], ...part }],
    });
    return this.add({ type: "answerArrived", ...who(device), exchange, whole: true });
  }

  settled(device: string, event: Stamp, outcome: object, run = 1): this {
    return this.add({ type: "settled", ...who(device, run), space, event, outcome });
  }

  /** What a tab shows: rows of a state, some of them with pending writes on them. */
  view(
    device: string,
    state: ModelState,
    why: "opened" | "listener" | "final" = "listener",
    pending: Readonly<Record<string, Fields | null>> = {},
    run = 1,
  ): this {
    return this.add({ type: "view", ...who(device, run), space, why, domains: shownOf(state, pending) });
  }

  /** What a tab of that version of the app shows. */
  viewIn(schema: number, ...view: Parameters<Tale["view"]>): this {
    this.view(...view);
    Object.assign(this.entries.at(-1) as Entry, { schema });
    return this;
  }

  inbox(device: string, items: readonly object[], run = 1, schema = 1): this {
    return this.add({ type: "inbox", ...who(device, run), space, items, schema });
  }

  serverRows(head: number): this {
    const state = this.stateAt(head);
    const rows: Row[] = rowsOf(state).map((row) =>
      row.deleted
        ? {
            domain: row.domain,
            key: row.key,
            version: row.version,
            modifiedAt: row.modifiedAt,
            deleted: true,
          }
        : {
            domain: row.domain,
            key: row.key,
            version: row.version,
            modifiedAt: row.modifiedAt,
            fields: row.fields,
            stamps: stampsOf(row),
          },
    );
    const digests = Object.fromEntries(
      Object.keys(schema.domains).map((domain) => [domain, { index: head, ...digestOf(state, domain) }]),
    );
    return this.add({ type: "serverRows", space, generation, head, rows, digests });
  }

  /** The state of the space as the model has it so far, and as that version of the app shows it. */
  stateAt(index: number, version = 1): ModelState {
    const { lineage } = replayed(this.history());
    const branch = lineage.last(space);
    if (!branch) throw new Error("The tale has no space.");
    return lineage.shownAt(branch, index, version);
  }

  history(): History {
    return {
      seed: 1,
      schema,
      users: Object.fromEntries(this.#devices.map((device) => [device, `user-${device}`])),
      entries: [...this.entries],
      overflow: false,
      bounds: { quietWithinMs: 10_000, quietRequests: 5, rows: 100, outcomes: 50 },
    };
  }
}

function shownOf(
  state: ModelState,
  pending: Readonly<Record<string, Fields | null>>,
): Record<string, Seen[]> {
  const domains: Record<string, Seen[]> = {};
  const show = (name: string, fields: Fields, $: Seen["$"]): void => {
    const [domain, key] = name.split("/") as [string, string];
    const whole = completeFields(fields, schema.domains[domain]);
    (domains[domain] ??= []).push({ ...whole, key, $ });
  };
  const rows = new Map(rowsOf(state).map((row) => [nameOf(row.domain, row.key), row]));
  for (const name of new Set([...rows.keys(), ...Object.keys(pending)])) {
    const row = rows.get(name);
    const $ = {
      version: row && !row.deleted ? row.version : 0,
      modifiedAt: row && !row.deleted ? row.modifiedAt : 0,
      pending: name in pending,
    };
    const own = pending[name];
    if (own === null) continue;
    if (own) show(name, own, $);
    else if (row && !row.deleted) show(name, row.fields, $);
  }
  return domains;
}

/** An event as the storage committed it. */
export function applied(
  index: number,
  event: Stamp,
  device: string,
  seq: number,
  more: object = {},
): { readonly status: "applied"; readonly index: number; readonly modifiedAt: number } {
  const modifiedAt = 2_000_000 + index * 10;
  return { status: "applied", index, modifiedAt, event, deviceId: device, seq, ...more } as never;
}

export const rejected = (event: Stamp, device: string, seq: number, code: string): object => ({
  status: "rejected",
  event,
  deviceId: device,
  seq,
  code,
});

export const appliedOutcome = (index: number, id: Stamp, seq: number): Outcome => ({
  id,
  seq,
  status: "applied",
  index,
  modifiedAt: 2_000_000 + index * 10,
});

/** What one checker says of a history, or all of them. */
export function verdict(history: History, name?: string): readonly Violation[] {
  const run = replayed(history);
  const asked = checkers.filter((checker) => name === undefined || checker.name === name);
  if (asked.length === 0) throw new Error(`There is no checker ${name}.`);
  return asked.flatMap((checker) => ask(checker, run));
}

/** The history with some entry changed, or taken out where `change` gives undefined. */
export function altered(
  history: History,
  change: (entry: Entry, position: number) => Entry | undefined,
): History {
  const entries = history.entries.flatMap((entry, position) => {
    const copy = change(structuredClone(entry), position);
    return copy === undefined ? [] : [copy];
  });
  return { ...history, entries };
}
