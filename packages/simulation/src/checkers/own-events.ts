import type { Stamp } from "@landfall/protocol";
import type { Commit, Issue, Started, View } from "../history.js";
import type { Branch, Lineage } from "../model/lineage.js";
import { type Run, tabOf } from "./checker.js";

/** What the run tells of one event, apart from what servers decided. */
export interface EventStory {
  readonly issue: Issue;
  readonly position: number;
  /** Seqs under which it was sent, each from where in the entries on. */
  readonly sends: { readonly position: number; readonly seq: number }[];
  /** Where each process was told of its outcome, by tab and run. */
  readonly settled: Map<string, number>;
  /** Where each process's inbox first told of it, by tab and run. */
  readonly boxed: Map<string, number>;
  shownAt: number | undefined;
}

/** An event that a view may be made of: surely, or perhaps. */
export interface Candidate {
  readonly story: EventStory;
  readonly sure: boolean;
}

/** Whose events each process knows of, and which of them its view is made of. */
export class OwnEvents {
  readonly stories = new Map<Stamp, EventStory>();
  /** What lay in each outbox when a process opened it, by tab, run and space. */
  readonly #begun = new Map<string, { readonly position: number; readonly events: readonly Stamp[] }>();
  readonly #ended = new Map<string, number>();
  /** Where a create was refused first, by device, space and record. */
  readonly #refusedCreates = new Map<string, number>();
  /** Events written on each device, in order. */
  readonly #written = new Map<string, EventStory[]>();
  /** What each process has certainly heard of from other tabs. */
  readonly #heard = new Map<string, Set<Stamp>>();

  constructor(readonly run: Run) {
    for (const [position, entry] of run.history.entries.entries()) {
      switch (entry.type) {
        case "issue":
          this.#issue(entry, position);
          break;
        case "started":
          this.#start(entry, position);
          break;
        case "commit":
          this.#commit(entry, position);
          break;
        case "ended":
          this.#ended.set(tabOf(entry), position);
          break;
        case "shown": {
          const story = this.stories.get(entry.event);
          if (story) story.shownAt ??= position;
          break;
        }
        case "settled":
          this.stories.get(entry.event)?.settled.set(tabOf(entry), position);
          break;
        case "inbox":
          for (const { event, kind } of entry.items) {
            const boxed = event === undefined ? undefined : this.stories.get(event)?.boxed;
            if (kind !== "superseded" && boxed && !boxed.has(tabOf(entry))) boxed.set(tabOf(entry), position);
          }
          break;
        case "request":
          for (const { events } of entry.spaces)
            for (const { id, seq } of events) this.stories.get(id)?.sends.push({ position, seq });
          break;
        default:
      }
    }
  }

  #start(entry: Started, position: number): void {
    for (const [space, events] of Object.entries(entry.outbox))
      this.#begun.set(`${tabOf(entry)} ${space}`, { position, events });
  }

  #issue(issue: Issue, position: number): void {
    const story: EventStory = {
      issue,
      position,
      sends: [],
      settled: new Map(),
      boxed: new Map(),
      shownAt: undefined,
    };
    this.stories.set(issue.event, story);
    const written = this.#written.get(issue.device);
    if (written) written.push(story);
    else this.#written.set(issue.device, [story]);
  }

  /**
   * The events that a view at an index of a history may be made of, in the order in which they apply. Sure are those
   * of the tab itself and those that lay on the disk when it started; perhaps, what another tab has written, what is
   * refused at this very index, and what the device gave up by itself.
   */
  pendingAt(view: View, position: number, branch: Branch, index: number): Candidate[] {
    const known = this.#knownTo(view, position);
    const candidates: Candidate[] = [];
    for (const [story, certain] of known) {
      const standing = this.#standing(story, { view, position, branch, index });
      if (standing === "gone") continue;
      candidates.push({ story, sure: certain && standing === "pending" });
    }
    return candidates.toSorted((a, b) => this.#order(a.story, b.story, position));
  }

  /** Remembers what a view turned out to show of other tabs. */
  hear(view: View, shown: readonly EventStory[]): void {
    const heard = this.#heard.get(tabOf(view)) ?? new Set();
    for (const { issue } of shown) heard.add(issue.event);
    this.#heard.set(tabOf(view), heard);
  }

  #knownTo(view: View, position: number): Map<EventStory, boolean> {
    const known = new Map<EventStory, boolean>();
    const begun = this.#begun.get(`${tabOf(view)} ${view.space}`);
    const heard = this.#heard.get(tabOf(view));
    for (const id of begun?.events ?? []) {
      const story = this.stories.get(id);
      if (story) known.set(story, true);
    }
    for (const story of this.#written.get(view.device) ?? []) {
      const { issue } = story;
      if (story.position > position || issue.space !== view.space || known.has(story)) continue;
      const isOwn = issue.tab === view.tab && issue.run === view.run;
      // What an earlier process had not stored is gone with it, unless another tab has heard of it.
      if (!isOwn && (issue.tab === view.tab || this.#isLost(story, begun?.position ?? 0))) continue;
      known.set(
        story,
        (isOwn || (heard?.has(issue.event) ?? false)) &&
          (issue.ops !== undefined || this.#isShown(story, position)),
      );
    }
    return known;
  }

  /** Whether an event went with the process that wrote it, before another began: that found it on the disk, or never. */
  #isLost({ issue, sends }: EventStory, begunAt: number): boolean {
    const endedAt = this.#ended.get(tabOf(issue));
    return endedAt !== undefined && endedAt < begunAt && sends.length === 0;
  }

  #isShown({ shownAt }: EventStory, position: number): boolean {
    return shownAt !== undefined && shownAt < position;
  }

  #standing(
    { issue, boxed, settled, position: issuedAt }: EventStory,
    at: { readonly view: View; readonly position: number; readonly branch: Branch; readonly index: number },
  ): "pending" | "perhaps" | "gone" {
    const { view, position, branch, index } = at;
    const applied = branch.indexOf(issue.event);
    if (applied !== undefined) return applied <= index ? "gone" : "pending";
    if ((boxed.get(tabOf(view)) ?? Number.POSITIVE_INFINITY) < position) return "gone";
    const toldAt = settled.get(tabOf(view));
    const refused = decisionIn(branch, issue.event);
    if (refused && refused.code !== "depends_on" && refused.status === "rejected") {
      if (refused.after < index) return "gone";
      return refused.after === index ? "perhaps" : "pending";
    }
    if (!refused && toldAt !== undefined && toldAt < position) return "gone";
    const givenUpAt = this.#standsOn(issue);
    if (givenUpAt !== undefined && givenUpAt > position) return "pending";
    if (refused) return "perhaps";
    // Decided in a history that is cut off, given up by the device, or never decided at all.
    const isOpen = toldAt === undefined && boxed.size === 0 && !isDecidedElsewhere(this.run.lineage, issue);
    return isOpen && issuedAt >= branch.since ? "pending" : "perhaps";
  }

  /** Where the first record that an event changes was refused its create, which the event then stands on. */
  #standsOn({ device, space, ops = [] }: Issue): number | undefined {
    let first: number | undefined;
    for (const op of ops) {
      for (const key of op.op === "deleteMany" ? (op.keys ?? []) : [op.key]) {
        const at = this.#refusedCreates.get(`${device} ${space} ${op.domain}/${key}`);
        if (at !== undefined && (first === undefined || at < first)) first = at;
      }
    }
    return first;
  }

  /** Takes down which creates a commit has refused. */
  #commit({ space, decided }: Commit, position: number): void {
    for (const { status, event } of decided) {
      const issue = status === "rejected" && event !== undefined ? this.stories.get(event)?.issue : undefined;
      for (const op of issue?.ops ?? []) {
        if (op.op !== "create") continue;
        const name = `${issue?.device} ${space} ${op.domain}/${op.key}`;
        if (!this.#refusedCreates.has(name)) this.#refusedCreates.set(name, position);
      }
    }
  }

  #order(a: EventStory, b: EventStory, position: number): number {
    const [first, second] = [a, b].map(
      ({ sends }) => sends.findLast((send) => send.position <= position)?.seq,
    );
    if (first !== undefined && second !== undefined) return first - second;
    if (first !== undefined || second !== undefined) return first === undefined ? 1 : -1;
    return a.issue.event < b.issue.event ? -1 : 1;
  }
}

const decisions = new WeakMap<
  Branch,
  Map<Stamp, { readonly status: "rejected" | "void"; readonly code?: string; readonly after: number }>
>();

/** What a history has decided of an event other than to apply it. */
export function decisionIn(
  branch: Branch,
  event: Stamp,
): { readonly status: "rejected" | "void"; readonly code?: string; readonly after: number } | undefined {
  let known = decisions.get(branch);
  if (!known) {
    known = new Map(
      branch.others.map(({ decided, after }) => [
        decided.event,
        {
          status: decided.status,
          ...(decided.code === undefined ? {} : { code: decided.code }),
          after,
        },
      ]),
    );
    decisions.set(branch, known);
  }
  return known.get(event);
}

function isDecidedElsewhere(lineage: Lineage, { space, event }: Issue): boolean {
  return (lineage.branches.get(space) ?? []).some(
    (branch) => branch.indexOf(event) !== undefined || decisionIn(branch, event) !== undefined,
  );
}
