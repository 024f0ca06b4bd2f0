import { isStamp } from "@landfall/protocol";
import { type Recorded, readBody } from "../exchange/outcome.js";
import type { HeldEvent, HeldOutcome, Rows, SpaceContents, SpaceState } from "../storage/port.js";
import type { Findings } from "./findings.js";
import { type Progress, progressRows } from "./verify-records.js";

/** Holds devices, outcomes and ids of one space against each other: what "a write happens once" rests on (rule 3). */
export class HistoryCheck {
  outcomes = 0;
  readonly #given = new IndexSet();
  /** Ids whose outcome stands where they were not seen first: they must be known elsewhere. */
  readonly #repeated = new Set<string>();

  constructor(
    private readonly space: string,
    private readonly state: SpaceState,
    private readonly generations: ReadonlySet<string>,
    private readonly findings: Findings,
  ) {}

  async run(contents: SpaceContents, progress: Progress): Promise<void> {
    this.#checkWriters(contents.writers);
    const events = iterate(contents.events());
    let event = await events();
    let before: HeldOutcome | undefined;
    let index = 0;
    for await (const outcome of contents.outcomes()) {
      this.outcomes += 1;
      if (this.outcomes % progressRows === 0) await progress(progressRows);
      if (before?.writer !== outcome.writer) {
        this.#checkEnd(contents, before?.writer, before?.seq);
        for (let between = (before?.writer ?? -1) + 1; between < outcome.writer; between++)
          this.#checkEnd(contents, between, 0);
        before = undefined;
        index = 0;
      }
      this.#checkPlace(contents, outcome, before?.seq ?? 0);
      for (; event && comesBefore(event, outcome); event = await events()) this.#lost(contents, event);
      const isFirst = event?.writer === outcome.writer && event.seq === outcome.seq;
      if (isFirst && event?.id !== outcome.id)
        this.#wrong("id", contents, outcome, `${event?.id} is known there`);
      if (isFirst) event = await events();
      else this.#repeated.add(outcome.id);
      index = this.#checkBody(contents, outcome, isFirst, index);
      before = outcome;
    }
    for (; event; event = await events()) this.#lost(contents, event);
    this.#checkEnd(contents, before?.writer, before?.seq);
    for (let rest = (before?.writer ?? -1) + 1; rest < contents.writers.length; rest++)
      this.#checkEnd(contents, rest, 0);
    await this.#checkRepeated(contents);
  }

  #wrong(
    code: "id" | "index" | "outcome",
    contents: SpaceContents,
    { writer, seq, id }: HeldOutcome,
    said: string,
  ): void {
    this.findings.add(code, this.space, `event ${id}, ${nameOf(contents, writer)} seq ${seq}: ${said}`);
  }

  #lost(contents: SpaceContents, { id, writer, seq }: HeldEvent): void {
    this.findings.add(
      "id",
      this.space,
      `${id} is known as ${nameOf(contents, writer)} seq ${seq}, which has no outcome`,
    );
  }

  #checkWriters(writers: SpaceContents["writers"]): void {
    for (const { device, user, generation, lastSeq, acked, expired, rejectedCreates, cursor } of writers) {
      const wrong = (said: string): void =>
        this.findings.add("writer", this.space, `device ${device} of ${user || "the server"}: ${said}`);
      if (!this.generations.has(generation)) wrong(`its generation, ${generation}, is none of the space's`);
      if (expired < 0 || expired > acked || acked > lastSeq)
        wrong(`seq ${lastSeq}, acked ${acked} and expired ${expired} are out of order`);
      if (rejectedCreates.some(([seq]) => seq > lastSeq)) wrong("a create was rejected that it has not sent");
      if (cursor > this.state.head) wrong(`its cursor, ${cursor}, is beyond the head, ${this.state.head}`);
    }
  }

  #checkPlace(contents: SpaceContents, outcome: HeldOutcome, before: number): void {
    const { seq, id, body } = outcome;
    const writer = contents.writers[outcome.writer];
    if (seq !== before + 1) this.#wrong("outcome", contents, outcome, `seq ${before + 1} was expected`);
    if (!isStamp(id)) this.#wrong("id", contents, outcome, "its id is no stamp");
    if (body === undefined && seq > (writer?.expired ?? 0))
      this.#wrong("outcome", contents, outcome, "its outcome is gone, and the device may still ask for it");
  }

  /** @returns the newest index of the writer. */
  #checkBody(contents: SpaceContents, outcome: HeldOutcome, isFirst: boolean, newest: number): number {
    const recorded = read(outcome.body);
    if (recorded === undefined) {
      this.#wrong("outcome", contents, outcome, "it cannot be read");
      return newest;
    }
    if (recorded.status !== "applied") return newest;
    const { index, modifiedAt } = recorded;
    if (!(index >= 1 && index <= this.state.head))
      this.#wrong("index", contents, outcome, `its index, ${index}, is not from 1 to ${this.state.head}`);
    else if (!(modifiedAt <= this.state.modifiedAt))
      this.#wrong("outcome", contents, outcome, `modifiedAt ${modifiedAt} is after the space's`);
    else if (isFirst && !this.#given.add(index))
      this.#wrong("index", contents, outcome, `index ${index} was given to another event too`);
    else if (isFirst && index <= newest)
      this.#wrong(
        "index",
        contents,
        outcome,
        `its index, ${index}, is not above ${newest}, which came before`,
      );
    return isFirst ? Math.max(newest, index) : newest;
  }

  /** The outcomes of a writer end with its newest seq. */
  #checkEnd(contents: SpaceContents, place: number | undefined, last = 0): void {
    const writer = place === undefined ? undefined : contents.writers[place];
    if (writer && writer.lastSeq !== last)
      this.findings.add(
        "outcome",
        this.space,
        `${nameOf(contents, place as number)}: its newest seq is ${writer.lastSeq}, and its outcomes end with ${last}`,
      );
  }

  async #checkRepeated(contents: SpaceContents): Promise<void> {
    if (this.#repeated.size === 0) return;
    for await (const { id } of contents.events()) this.#repeated.delete(id);
    for (const id of this.#repeated)
      this.findings.add(
        "id",
        this.space,
        `${id} has an outcome, and is not known: it could be applied again`,
      );
  }
}

function nameOf(contents: SpaceContents, writer: number): string {
  const found = contents.writers[writer];
  return found ? `device ${found.device} of ${found.user || "the server"}` : "a device that is not there";
}

const comesBefore = (event: HeldEvent, outcome: HeldOutcome): boolean =>
  event.writer < outcome.writer || (event.writer === outcome.writer && event.seq < outcome.seq);

/** Undefined where the body is none. */
function read(body: string | undefined): Recorded | undefined {
  try {
    const recorded = readBody(body);
    const { status } = recorded;
    if (status === "applied")
      return Number.isSafeInteger(recorded.index) && Number.isSafeInteger(recorded.modifiedAt)
        ? recorded
        : undefined;
    return status === "rejected" || status === "void" || status === "expired" ? recorded : undefined;
  } catch {
    return undefined;
  }
}

function iterate<T>(rows: Rows<T>): () => T | undefined | Promise<T | undefined> {
  if (Symbol.iterator in rows) {
    const iterator = rows[Symbol.iterator]();
    return () => {
      const next = iterator.next();
      return next.done ? undefined : next.value;
    };
  }
  const iterator = rows[Symbol.asyncIterator]();
  return async () => {
    const next = await iterator.next();
    return next.done ? undefined : next.value;
  };
}

/** A set of indexes in a bit each, in pages that are made when they are touched. */
class IndexSet {
  readonly #pages = new Map<number, Uint8Array>();

  /** @returns false where it is in already. */
  add(index: number): boolean {
    const number = Math.floor(index / 65_536);
    let page = this.#pages.get(number);
    if (!page) this.#pages.set(number, (page = new Uint8Array(8_192)));
    const [at, bit] = [(index % 65_536) >> 3, 1 << (index & 7)];
    const isNew = ((page[at] as number) & bit) === 0;
    page[at] = (page[at] as number) | bit;
    return isNew;
  }
}
