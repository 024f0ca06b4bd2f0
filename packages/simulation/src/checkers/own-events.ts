import type { Stamp } from "@landfall/protocol";
import type { View } from "../history.js";
import type { Branch, PlacedOtherwise } from "../model/lineage.js";
import type { Run } from "./checker.js";
import type { ShownView } from "./shown.js";
import type { EventStory, Stories } from "./stories.js";

/** An event that a view may be made of: surely, or perhaps. */
export interface Candidate {
  readonly story: EventStory;
  readonly sure: boolean;
  /** It is decided, and the device may not know: all like it that are sent before it have left the outbox before it does. */
  readonly inTurn?: true;
  /** It is in what is confirmed already, or was decided in a history before it, and the device may not know. */
  readonly isOver?: true;
  /** The step that made it, where it is doubtful whether the process has heard of that: of all that it made, or of nothing. */
  readonly madeIn?: string;
}

/** An event on a line, with what is so of it there from beginning to end. */
interface Open {
  readonly story: EventStory;
  /** It lay in the outbox when the process began. */
  readonly isBegun: boolean;
  readonly isOwn: boolean;
  /** Its own process had not stored it, so that only another tab can know of it. */
  readonly isGone: boolean;
  /** From where on it lies in an outbox of which there was another. */
  readonly sharedSince: number;
  /** Its place in the history, or what was decided of it otherwise. */
  readonly applied: number | undefined;
  readonly decision: PlacedOtherwise | undefined;
  /** Where the process was told of its outcome, and where its inbox was. */
  readonly settledAt: number;
  readonly boxedAt: number;
}

/** Events that the views of one process may be made of in one history. */
interface Line {
  readonly tab: string;
  readonly schema: number;
  /** Whether the app can no longer read what there is. */
  isLeftBehind: boolean;
  readonly branch: Branch;
  readonly begun: ReadonlySet<EventStory>;
  /** Before where the process cannot have been there, where it began, and where its device heard of wipes. */
  readonly launchedAt: number;
  readonly begunAt: number;
  readonly wipes: readonly number[];
  /** All events of the device in the space, and how many of them were looked at. */
  readonly written: readonly EventStory[];
  read: number;
  /** All that is not over, in the order in which it was written. */
  open: Open[];
}

const never = Number.POSITIVE_INFINITY;
/** So many requests of other tabs may be on their way to the tab that looks. */
const maxOrders = 20;

/** Which events the view of each process is made of, as one checker finds out view by view. */
export class OwnEvents {
  readonly #stories: Stories;
  /** What each process has certainly heard of from other tabs. */
  readonly #heard = new Map<string, Set<Stamp>>();
  /** By tab, run and space, and by the history that its views stand in. */
  readonly #lines = new Map<string, Map<Branch, Line>>();
  /** What is over for a process, by tab, run and space, and in which history it was: what its device was told of stays so in all. */
  readonly #over = new Map<string, Map<EventStory, Branch>>();

  /** @param isAllHeard whether each process is taken to have heard of all: who looks at what is confirmed cannot tell. */
  constructor(
    readonly run: Run,
    readonly isAllHeard = false,
  ) {
    this.#stories = run.stories;
  }

  /**
   * The events that a view at an index of a history may be made of, in the order in which they apply. Sure are those
   * of the tab itself and those that lay on the disk when it started; perhaps, what another tab has written, what is
   * refused at this very index, and what the device gave up by itself.
   */
  pendingAt(shown: ShownView, position: number, branch: Branch, index: number): Candidate[] {
    const line = this.#lineOf(shown, position, branch);
    const { view } = shown;
    const over = this.#over.get(shown.line);
    const candidates: Candidate[] = [];
    for (const open of line.open) {
      const { story } = open;
      const overIn = over?.get(story);
      if (overIn && (overIn === branch || story.toldAt < position)) continue;
      const certain = this.#isKnown(line, open, view, position);
      if (certain === undefined) continue;
      const standing = standingOf(line, open, position, index);
      if (overIn) {
        // What was known to be in base alone, and not what became of it, is pending again where that base is lost (rule 5).
        if (standing === "pending" || standing === "elsewhere") candidates.push({ story, sure: false });
      } else if (
        standing === "pending" &&
        branch.reason === "restored" &&
        this.#stories.passesForRestored(story, branch, position)
      )
        candidates.push({ story, sure: false });
      else if (standing === "pending" && certain && wasDecided(open, branch, position))
        candidates.push({ story, sure: true, inTurn: true, isOver: true });
      else if (
        standing === "pending" &&
        certain &&
        this.#stories.passesForKnown(story, view.device, position)
      )
        candidates.push({ story, sure: true, inTurn: true });
      else if (standing === "pending" && !certain && story.isOffer)
        candidates.push({ story, sure: false, madeIn: `${story.writer} ${story.issue.at}` });
      else if ((standing === "gone" || standing === "elsewhere") && certain && mayReturn(open, position))
        candidates.push({ story, sure: true, inTurn: true, isOver: true });
      else if (standing !== "gone") candidates.push({ story, sure: certain && standing === "pending" });
    }
    return inOrder(candidates, { shown, position, branch, toldUpTo: position });
  }

  /** The orders in which candidates may stand: what another tab has just sent may not be known to be sent yet. */
  *orders(
    candidates: readonly Candidate[],
    shown: ShownView,
    position: number,
    branch: Branch,
  ): Generator<readonly Candidate[]> {
    yield candidates;
    const sentAt = new Set<number>();
    for (const { story } of candidates)
      for (const send of story.sends)
        if (send.tab !== shown.tab && send.position <= position) sentAt.add(send.position);
    const newestFirst = [...sentAt].toSorted((a, b) => b - a).slice(0, maxOrders);
    let before = candidates;
    for (const at of newestFirst) {
      const ordered = inOrder(candidates, { shown, position, branch, toldUpTo: at - 1 });
      if (ordered.every((candidate, place) => candidate === before[place])) continue;
      yield ordered;
      before = ordered;
    }
  }

  /** Remembers what a view turned out to show of other tabs. */
  hear({ tab }: ShownView, events: readonly EventStory[]): void {
    if (events.length === 0) return;
    let heard = this.#heard.get(tab);
    if (!heard) this.#heard.set(tab, (heard = new Set()));
    for (const { issue } of events) heard.add(issue.event);
  }

  /** A view has turned out to stand there: what is over at that index is over for all that follow it in that history. */
  settle(
    shown: ShownView,
    position: number,
    { branch, index }: { readonly branch: Branch; readonly index: number },
  ): void {
    const line = this.#lineOf(shown, position, branch);
    if (line.open.length === 0) return;
    let over = this.#over.get(shown.line);
    if (!over) this.#over.set(shown.line, (over = new Map()));
    for (const open of line.open)
      if (standingOf(line, open, position, index) === "gone" && !mayReturn(open, position))
        over.set(open.story, branch);
    line.open = line.open.filter(({ story }) => over.get(story) !== branch);
  }

  /** What the views of a process may be made of in a history, as far as it was written by now and is not over. */
  #lineOf({ view, tab, line: name }: ShownView, position: number, branch: Branch): Line {
    let lines = this.#lines.get(name);
    if (!lines) this.#lines.set(name, (lines = new Map()));
    let line = lines.get(branch);
    if (!line) lines.set(branch, (line = this.#begin(view, tab, branch)));
    const { written } = line;
    line.isLeftBehind = this.run.lineage.isLeftBehind(view.space, line.schema, position);
    for (let story = written[line.read]; story && story.position <= position; story = written[line.read]) {
      line.read += 1;
      if (!line.begun.has(story) && !this.#wasOver(line, story, view))
        line.open.push(this.#opened(line, story, view));
    }
    return line;
  }

  #begin(view: View, tab: string, branch: Branch): Line {
    if (!this.#heard.has(tab)) this.#heard.set(tab, new Set());
    const { events, position: begunAt } = this.#stories.begun(tab, view.space);
    const begun = new Set(events);
    const wipes = this.#stories.heardOfWipes(view);
    const written = this.#stories.written(view);
    const launchedAt = this.#stories.endOfRunBefore(view);
    const { schema = 1 } = view;
    const isLeftBehind = false;
    const line: Line = {
      tab,
      schema,
      isLeftBehind,
      branch,
      begun,
      launchedAt,
      begunAt,
      wipes,
      written,
      read: 0,
      open: [],
    };
    line.open = [...begun].map((story) => this.#opened(line, story, view));
    return line;
  }

  /** Whether somebody was told of its outcome before the process was there: that has never had it pending. */
  #wasOver({ launchedAt }: Line, { issue, toldAt }: EventStory, { device }: View): boolean {
    return toldAt < launchedAt && !this.#stories.shared.has(device, issue.event, launchedAt);
  }

  #opened({ tab, branch, begun, begunAt }: Line, story: EventStory, view: View): Open {
    const { issue, writer, settled, boxed } = story;
    const isOwn = writer === tab;
    return {
      story,
      isBegun: begun.has(story),
      isOwn,
      // What an earlier process had not stored is gone with it, unless another tab has heard of it.
      isGone: !isOwn && (issue.tab === view.tab || this.#isLost(story, begunAt)),
      sharedSince: this.#stories.shared.sinceWhen(view.device, issue.event),
      applied: branch.indexOf(issue.event),
      decision: branch.decisionOn(issue.event),
      settledAt: settled.get(tab) ?? never,
      boxedAt: boxed.get(tab) ?? never,
    };
  }

  /** Whether a process knows of an event certainly; undefined where it cannot know of it. */
  #isKnown(
    { tab, begunAt, schema }: Line,
    { story, isBegun, isOwn, isGone }: Open,
    { device }: View,
    position: number,
  ): boolean | undefined {
    const { issue, shownAt } = story;
    // What a newer app has written an older one only sends.
    if ((issue.schema ?? 1) > schema) return undefined;
    if (isBegun) return true;
    if (isGone && !this.#isHeardByAnother(tab, device, issue.event, begunAt)) return undefined;
    const isHeard = isOwn || (this.#heard.get(tab)?.has(issue.event) ?? false);
    return isHeard && (issue.ops !== undefined || shownAt < position);
  }

  /** Whether an event went with those that wrote and sent it, before a process began: that found it on the disk, or never. */
  #isLost({ writer, sends }: EventStory, begunAt: number): boolean {
    return [writer, ...sends.map(({ tab }) => tab)].every((tab) => this.#stories.endOf(tab) < begunAt);
  }

  /** Whether a tab that outlived the start of this one shows an event: it stores it when the disk has room again. */
  #isHeardByAnother(own: string, device: string, event: Stamp, begunAt: number): boolean {
    for (const [tab, heard] of this.#heard)
      if (
        tab !== own &&
        tab.startsWith(`${device}.`) &&
        (this.isAllHeard || heard.has(event)) &&
        this.#stories.endOf(tab) > begunAt
      )
        return true;
    return false;
  }
}

/** Whether an event that is over may lie in the outbox still, for all that the process was told. */
const mayReturn = ({ sharedSince, settledAt, boxedAt }: Open, position: number): boolean =>
  sharedSince <= position && settledAt >= position && boxedAt >= position;

/**
 * Whether a process may know what became of an event in a history that was lost, though a copy of its device brings it to the
 * restored one again.
 */
const wasDecided = ({ sharedSince, story }: Open, branch: Branch, position: number): boolean =>
  sharedSince <= position && branch.reason === "restored" && story.decidedAt < position;

function standingOf(
  { branch, wipes, isLeftBehind }: Line,
  { story, sharedSince, applied, decision, settledAt, boxedAt }: Open,
  position: number,
  index: number,
): "pending" | "perhaps" | "elsewhere" | "gone" {
  if (applied !== undefined && applied <= index) return "gone";
  // What a device has given up, a copy of it may still send.
  const isOfCopy = sharedSince <= position && story.givenUpAt < position;
  if (applied !== undefined && !isOfCopy) return "pending";
  if (boxedAt < position) return "gone";
  const isRefused = decision?.decided.status === "rejected" && decision.decided.code !== "depends_on";
  if (isRefused) {
    if (decision.after < index) return "gone";
    if (decision.after === index && decision.position < position) return "perhaps";
    // An app that cannot read what else there is takes in no more than that.
    if (decision.position < position && isLeftBehind) return "perhaps";
    // Of what is refused later than this was seen nobody has heard, but it may have been given up before.
  }
  if ((!decision || isRefused) && settledAt < position) return "gone";
  const { givenUpAt, position: issuedAt } = story;
  // A device that hears of a wipe parks what it has pending in the inbox (rule 12), in the step that empties the view.
  const wipedAt = wipes.findLast((at) => issuedAt < at && at < position);
  if (wipedAt !== undefined)
    return branch.isAfterWipe && sharedSince > position && story.toldAt < wipedAt ? "gone" : "perhaps";
  if (givenUpAt < never) return givenUpAt > position ? "pending" : "perhaps";
  if (isRefused) return "pending";
  if (decision) return "perhaps";
  if (story.isOffer) return branch === story.writtenTo ? "pending" : "perhaps";
  // Decided in a history that is cut off, or given up by the device.
  if (story.boxedAt < position || story.decidedAt < position) return "elsewhere";
  return issuedAt >= branch.since || branch.reason === "restored" ? "pending" : "perhaps";
}

/** Where a view stands, and up to where its tab has heard what others have sent. */
interface Ordering {
  readonly shown: ShownView;
  readonly position: number;
  readonly branch: Branch;
  readonly toldUpTo: number;
}

/** Sent ones by seq, then offers, then the others by stamp. */
function inOrder(
  candidates: readonly Candidate[],
  { shown: { view, tab }, position, branch: { generation }, toldUpTo }: Ordering,
): Candidate[] {
  if (candidates.length < 2) return [...candidates];
  const seqs = new Map(
    candidates.map((candidate) => [
      candidate,
      candidate.story.sends.findLast(
        (send) =>
          send.position <= (send.tab === tab ? position : toldUpTo) &&
          send.device === view.device &&
          // Seqs begin anew with a generation; who never named one knows of this alone.
          (send.generation ?? generation) === generation,
      )?.seq,
    ]),
  );
  return candidates.toSorted((a, b) => {
    const [first, second] = [seqs.get(a), seqs.get(b)];
    if (first !== undefined && second !== undefined) return first - second;
    if (first !== undefined || second !== undefined) return first === undefined ? 1 : -1;
    const [one, other] = [a.story, b.story];
    if (one.isOffer !== other.isOffer) return one.isOffer ? -1 : 1;
    return one.issue.event < other.issue.event ? -1 : 1;
  });
}
