import {
  type AskedEvent,
  type Outcome,
  type Row,
  type SpaceError,
  type SpaceSuccess,
  allOutcomes,
} from "@landfall/protocol";
import type { Caller } from "./caller.js";
import { Departure, must } from "./check.js";
import { randomTail, stampOf, unguessable } from "./stamps.js";

/** An event as it goes on the wire; what a check sends may be wrong on purpose. */
export interface Sent {
  readonly id: string;
  readonly seq: number;
  readonly [member: string]: unknown;
}

type Cursors = { readonly [domain: string]: number };

/** One installation that writes and reads one space: it counts its seqs and makes its stamps, and keeps nothing else. */
export class Device {
  readonly name = unguessable("device");
  readonly #tail = randomTail();
  readonly #nowMs: () => number;
  #lastMs = 0;
  #counter = 0;
  seq = 0;

  /** @param nowMs the time that stamps are made from. */
  constructor(
    readonly caller: Caller,
    readonly space: string,
    public generation: string | undefined,
    nowMs: () => number,
  ) {
    this.#nowMs = nowMs;
  }

  /** The next stamp of a hybrid clock. */
  stamp(): string {
    const ms = Math.floor(this.#nowMs());
    if (ms > this.#lastMs) [this.#lastMs, this.#counter] = [ms, 0];
    else if (this.#counter < 0xfff) this.#counter += 1;
    else [this.#lastMs, this.#counter] = [this.#lastMs + 1, 0];
    return stampOf(this.#lastMs, this.#counter, this.#tail);
  }

  /** A stamp of this device's at a time of the check's choice. */
  stampAt(ms: number, counter = 0): string {
    return stampOf(ms, counter, this.#tail);
  }

  /** An event with the next seq. @param other further members, or others in their place. */
  event(ops: readonly unknown[], other: { readonly [member: string]: unknown } = {}): Sent {
    this.seq += 1;
    return { id: this.stamp(), seq: this.seq, ops, ...other };
  }

  request(part: object = {}, whole: object = {}): unknown {
    return {
      protocol: 1,
      device: this.name,
      ...whole,
      spaces: [
        {
          space: this.space,
          ...(this.generation === undefined ? {} : { generation: this.generation }),
          cursors: {},
          ...part,
        },
      ],
    };
  }

  /** One exchange. @throws Departure where the space is answered by an error. */
  async exchange(
    part: { readonly events?: readonly AskedEvent[]; readonly [member: string]: unknown } = {},
    whole: object = {},
  ): Promise<SpaceSuccess> {
    const { spaces } = await this.caller.exchange(this.request(part, whole));
    const [answer] = spaces;
    must(
      spaces.length === 1 && answer?.space === this.space,
      "the answer has not the one space that was asked for",
    );
    if ("error" in answer)
      throw new Departure(`the space is answered by ${answer.error.code}: ${answer.error.message}`);
    this.generation ??= answer.generation;
    return { ...answer, outcomes: allOutcomes(answer, part.events ?? []) };
  }

  /** One exchange that the space's error must answer. */
  async failing(code: string, part: object = {}): Promise<SpaceError> {
    const { spaces } = await this.caller.exchange(this.request(part));
    const [answer] = spaces;
    must(
      answer !== undefined && "error" in answer,
      `${code} was to come, and the space was answered as if nothing were wrong`,
    );
    must(answer.error.code === code, `the space's error is ${answer.error.code}, not ${code}`);
    return answer.error;
  }

  /** Sends events, and gives their outcomes in the order of their seqs. */
  async send(...events: readonly Sent[]): Promise<readonly Outcome[]> {
    const { outcomes } = await this.exchange({ events });
    must(
      outcomes.length === events.length,
      `${events.length} events were sent, and ${outcomes.length} outcomes came`,
    );
    return outcomes.toSorted((a, b) => a.seq - b.seq);
  }

  /** One event of these ops, and its outcome. */
  async write(...ops: readonly unknown[]): Promise<Outcome> {
    const [outcome] = await this.send(this.event(ops));
    return outcome as Outcome;
  }

  /** One event of these ops that must be applied. @returns its index. */
  async apply(...ops: readonly unknown[]): Promise<number> {
    return appliedIndex(await this.write(...ops));
  }

  /** All that there is in a domain, page by page. */
  async rows(domain: string, limit?: number): Promise<readonly Row[]> {
    return (await this.catchUp({ [domain]: 0 }, limit)).rows;
  }

  /** Reads from the cursors to the end. */
  async catchUp(
    cursors: Cursors,
    limit?: number,
  ): Promise<{
    readonly rows: readonly Row[];
    readonly pages: readonly SpaceSuccess[];
    readonly end: SpaceSuccess;
  }> {
    const pages: SpaceSuccess[] = [];
    let position: { readonly cursors: Cursors; readonly scan?: Cursors } = { cursors };
    for (;;) {
      const page = await this.exchange(position, limit === undefined ? {} : { limit });
      pages.push(page);
      if (!page.more) return { rows: pages.flatMap(({ rows }) => rows), pages, end: page };
      must(pages.length < 1_000, "the pages do not end");
      position = { cursors: page.cursors, ...(page.scan === undefined ? {} : { scan: page.scan }) };
    }
  }
}

/** @throws Departure unless the outcome is `applied`. */
export function appliedIndex(outcome: Outcome): number {
  if (outcome.status !== "applied")
    throw new Departure(
      `the event is ${outcome.status}, not applied: ${JSON.stringify(outcome).slice(0, 300)}`,
    );
  return outcome.index;
}

/** @throws Departure unless the outcome is `rejected` with this code. */
export function rejectedAs(code: string, outcome: Outcome | undefined): void {
  must(
    outcome?.status === "rejected" && outcome.code === code,
    `the event is not rejected as ${code}: ${JSON.stringify(outcome)?.slice(0, 300)}`,
  );
}
