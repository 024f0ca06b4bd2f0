import type { Stamp } from "@landfall/protocol";
import type { Commit, Entry, History, Issue, Request, Started, View } from "../history.js";
import type { Branch, Lineage } from "../model/lineage.js";
import { tabOf } from "./checker.js";
import { SharedOutboxes } from "./shared-outboxes.js";

const never = Number.POSITIVE_INFINITY;

/** One time that an event was sent. */
export interface Send {
  readonly position: number;
  readonly seq: number;
  readonly device: string;
  readonly tab: string;
  /** The seq as the server knows it. */
  readonly as: string;
  /** The one that its device knew, or heard of first after it; undefined where it never named one. */
  generation: string | undefined;
  /** The generation that a server took it for: where the request names none, that which stood then. */
  readonly takenFor: string | undefined;
}

/** What the run tells of one event, apart from what each history decided. */
export interface EventStory {
  readonly issue: Issue;
  readonly position: number;
  /** The process that wrote it. */
  readonly writer: string;
  /** Seqs under which a process has sent it, each from where in the entries on. */
  readonly sends: Send[];
  /** Where each process was told of its outcome, by tab and run. */
  readonly settled: Map<string, number>;
  /** Where each process's inbox first told of it, by tab and run; and where the first of all did. */
  readonly boxed: Map<string, number>;
  boxedAt: number;
  /** Where the first process of all was told of its outcome, by a receipt or by its inbox. */
  toldAt: number;
  shownAt: number;
  /** Where a server first decided it, in any history. */
  decidedAt: number;
  /**
   * Where the first record that it changes was refused its create, which it then stands on: the device gives it up by
   * itself when it is told. What was written after that is another matter.
   */
  givenUpAt: number;
  readonly isOffer: boolean;
  /** The history that its space had when it was written. */
  readonly writtenTo: Branch | undefined;
}

/** What lay in an outbox when a process opened it, and where that was. */
export interface Begun {
  readonly position: number;
  readonly events: readonly EventStory[];
}

/** What a run tells of all its events, and of who may know of them. */
export class Stories {
  readonly shared = new SharedOutboxes();
  readonly #stories = new Map<Stamp, EventStory>();
  /** By tab, run and space. */
  readonly #begun = new Map<string, { readonly position: number; readonly events: readonly Stamp[] }>();
  /** Where each process began, by tab and run, and where it ended. */
  readonly #started = new Map<string, number>();
  readonly #ended = new Map<string, number>();
  /** What each device has sent in each space before it knew a generation. */
  readonly #unnamed = new Map<string, Send[]>();
  /** Events that were sent under one seq, each from where in the entries on. */
  readonly #sentAs = new Map<string, Map<Stamp, number>>();
  /** Where the disk of a device was full first since it began. */
  readonly #fullSince = new Map<string, number>();
  /** The creates that were refused, and where, by space and record. */
  readonly #refusedCreates = new Map<string, { readonly position: number; readonly by: EventStory }[]>();
  /** Events written on each device in each space, in order. */
  readonly #written = new Map<string, EventStory[]>();
  /** Where each device was told that a space was wiped, by device and space. */
  readonly #heardOfWipes = new Map<string, number[]>();

  constructor(
    { entries }: History,
    readonly lineage: Lineage,
  ) {
    for (const [position, entry] of entries.entries()) this.#take(entry, position);
    for (const story of this.#stories.values()) {
      story.boxedAt = Math.min(never, ...story.boxed.values());
      story.toldAt = Math.min(story.boxedAt, ...story.settled.values());
      story.decidedAt = this.#decidedAt(story.issue);
    }
    for (const story of this.#stories.values()) story.givenUpAt = this.#givenUpAt(story);
  }

  begun(tab: string, space: string): Begun {
    // One that could not open the disk has found nothing.
    const nothing = { position: this.#started.get(tab) ?? 0, events: [] };
    const { position, events } = this.#begun.get(`${tab} ${space}`) ?? nothing;
    return { position, events: events.flatMap((event) => this.#stories.get(event) ?? []) };
  }

  /** Events written on the device of a view in its space, in order. */
  written({ device, space }: View): readonly EventStory[] {
    return this.#written.get(`${device} ${space}`) ?? [];
  }

  /**
   * Whether an event was sent under a seq that had been used for another one. Until the server has said so, and what
   * became of the event itself (rule 3), it passes for known.
   */
  passesForKnown({ issue, sends }: EventStory, device: string, position: number): boolean {
    return sends.some(
      (send) =>
        send.device === device && send.position < position && this.#isOfAnother(send.as, issue, position),
    );
  }

  /**
   * Whether an event was sent, to the history before a restored one, under a seq that had been used for another: what the
   * server says that the restored history has of those seqs counts for it too, until they are told apart.
   */
  passesForRestored({ issue, sends }: EventStory, { generation }: Branch, position: number): boolean {
    return sends.some(
      (send) =>
        send.position < position &&
        send.takenFor !== generation &&
        this.#isOfAnother(send.as, issue, position),
    );
  }

  isSentBefore(event: Stamp, position: number): boolean {
    return this.#stories.get(event)?.sends.some((send) => send.position < position) ?? false;
  }

  /** Whether a seq had been used for another event. */
  #isOfAnother(as: string, { event }: Issue, position: number): boolean {
    for (const [other, at] of this.#sentAs.get(as) ?? []) if (other !== event && at < position) return true;
    return false;
  }

  /** Where a process ended. */
  endOf(tab: string): number {
    return this.#ended.get(tab) ?? never;
  }

  heardOfWipes({ device, space }: View): readonly number[] {
    return this.#heardOfWipes.get(`${device} ${space}`) ?? [];
  }

  /** Where the run of a tab before this one ended; 0 where there was none. */
  endOfRunBefore({ tab, run }: View): number {
    return this.#ended.get(tabOf({ tab, run: run - 1 })) ?? 0;
  }

  #take(entry: Entry, position: number): void {
    switch (entry.type) {
      case "issue":
        return this.#issue(entry, position);
      case "offered":
        if (!this.#stories.has(entry.event)) this.#issue({ ...entry, type: "issue" }, position);
        return;
      case "cloned":
        return this.shared.copied(entry);
      case "storageFault":
        // Without what says which seqs it has sent, a device is a copy of itself too.
        if (entry.how === "older" || (entry.how === "partly" && entry.forgets?.length))
          this.shared.fellBack(entry.device);
        else if (entry.how === "full" && !this.#fullSince.has(entry.device))
          this.#fullSince.set(entry.device, position);
        return;
      case "report":
        if (entry.code === "wiped")
          for (const space of this.lineage.branches.keys())
            if (entry.message.includes(` ${space} `)) {
              const name = `${entry.device} ${space}`;
              this.#heardOfWipes.set(name, [...(this.#heardOfWipes.get(name) ?? []), position]);
            }
        return;
      case "started":
        this.#started.set(tabOf(entry), position);
        for (const [space, events] of Object.entries(entry.outbox))
          this.#begun.set(`${tabOf(entry)} ${space}`, { position, events });
        this.#restarted(entry);
        return this.shared.started(entry);
      case "commit":
        return this.#commit(entry, position);
      case "ended":
        this.#ended.set(tabOf(entry), position);
        return;
      case "shown": {
        const story = this.#stories.get(entry.event);
        if (story) story.shownAt = Math.min(story.shownAt, position);
        return;
      }
      case "settled":
        this.#stories.get(entry.event)?.settled.set(tabOf(entry), position);
        return;
      case "inbox":
        for (const { event, kind } of entry.items) {
          const boxed = event === undefined ? undefined : this.#stories.get(event)?.boxed;
          if (kind !== "superseded" && boxed && !boxed.has(tabOf(entry))) boxed.set(tabOf(entry), position);
        }
        return;
      case "request":
        return this.#request(entry, position);
      default:
    }
  }

  /** Of what was sent since its disk was full, the disk may not have the seqs: the device is a copy of itself. */
  #restarted({ device, outbox }: Started): void {
    const since = this.#fullSince.get(device);
    if (since === undefined) return;
    for (const event of Object.values(outbox).flat())
      if (this.#stories.get(event)?.sends.some(({ position }) => position > since))
        this.shared.add(device, event);
    this.#fullSince.delete(device);
  }

  #request(request: Request, position: number): void {
    const { device, deviceId } = request;
    this.shared.asked(request, position);
    for (const { space, events, generation } of request.spaces) {
      const takenFor = this.lineage.takenFor(space, generation, position);
      const unnamed = this.#unnamedOf(`${deviceId} ${space}`);
      if (generation !== undefined) for (const send of unnamed.splice(0)) send.generation = generation;
      for (const { id, seq } of events) {
        const as = `${deviceId} ${space} ${takenFor} ${seq}`;
        const send: Send = { position, seq, device, tab: tabOf(request), as, generation, takenFor };
        this.#stories.get(id)?.sends.push(send);
        if (generation === undefined) unnamed.push(send);
        let sent = this.#sentAs.get(as);
        if (!sent) this.#sentAs.set(as, (sent = new Map()));
        if (!sent.has(id)) sent.set(id, position);
      }
    }
  }

  #unnamedOf(place: string): Send[] {
    let unnamed = this.#unnamed.get(place);
    if (!unnamed) this.#unnamed.set(place, (unnamed = []));
    return unnamed;
  }

  #issue(issue: Issue, position: number): void {
    const story: EventStory = {
      issue,
      position,
      writer: tabOf(issue),
      sends: [],
      settled: new Map(),
      boxed: new Map(),
      boxedAt: never,
      toldAt: never,
      shownAt: never,
      decidedAt: never,
      givenUpAt: never,
      isOffer: issue.ops?.[0]?.op === "offer",
      writtenTo: this.lineage.standing(issue.space, position),
    };
    this.#stories.set(issue.event, story);
    const place = `${issue.device} ${issue.space}`;
    const written = this.#written.get(place);
    if (written) written.push(story);
    else this.#written.set(place, [story]);
  }

  /** Takes down which creates a commit has refused. */
  #commit({ space, decided }: Commit, position: number): void {
    for (const { status, event } of decided) {
      const by = status === "rejected" && event !== undefined ? this.#stories.get(event) : undefined;
      for (const op of by?.issue.ops ?? []) {
        if (!by || op.op !== "create") continue;
        const name = `${space} ${op.domain}/${op.key}`;
        const refusals = this.#refusedCreates.get(name);
        if (refusals) refusals.push({ position, by });
        else this.#refusedCreates.set(name, [{ position, by }]);
      }
    }
  }

  #decidedAt({ space, event }: Issue): number {
    const positions = (this.lineage.branches.get(space) ?? []).map((branch) => {
      const index = branch.indexOf(event);
      const decided = index === undefined ? branch.decisionOn(event) : branch.eventAt(index);
      return decided?.position ?? never;
    });
    return Math.min(never, ...positions);
  }

  #givenUpAt({ issue: { device, space, ops = [] }, position }: EventStory): number {
    let first = never;
    if (this.#refusedCreates.size === 0) return first;
    for (const op of ops) {
      for (const key of op.op === "deleteMany" ? (op.keys ?? []) : [op.key]) {
        for (const { by, position: at } of this.#refusedCreates.get(`${space} ${op.domain}/${key}`) ?? []) {
          // The copy of a device has its creates too.
          const isItsOwn =
            by.issue.device === device || this.shared.sinceWhen(device, by.issue.event) < never;
          if (isItsOwn && toldOn(device, by) >= position) first = Math.min(first, at);
        }
      }
    }
    return first;
  }
}

/** Where the first process of a device was told of an outcome: a copy of the device may have been told before. */
function toldOn(device: string, { settled, boxed }: EventStory): number {
  const told = [...settled, ...boxed].filter(([tab]) => tab.startsWith(`${device}.`));
  return Math.min(never, ...told.map(([, position]) => position));
}
