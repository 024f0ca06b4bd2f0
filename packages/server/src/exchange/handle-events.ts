import {
  type Decoded,
  type SpaceRequest,
  type WireEvent,
  decode,
  eventDecoder,
  eventIdentityDecoder,
  isIdentifier,
} from "@landfall/protocol";
import { SpaceBatch } from "../apply/space-batch.js";
import { slotName } from "../apply/working-set.js";
import { needsUpgrade, upgradeUnderWay } from "../apply/upgrade.js";
import type { Core } from "../core.js";
import { type MaybePromise, chain, eachInTurn } from "../maybe-promise.js";
import type {
  FoundSpace,
  KnownEvent,
  OpenedSpace,
  RecordKey,
  RejectedCreate,
  SpaceTransaction,
  WriterState,
} from "../storage/port.js";
import {
  type Deferred,
  type EventOutcome,
  type Recorded,
  outcomeText,
  readBody,
  storedBody,
} from "./outcome.js";
import { type OwnEcho, noEcho, ownEcho } from "./own-echo.js";
import { type Sender, namedKeys, runEvent } from "./run-event.js";
import type { RecoveryWindow } from "./recovery-window.js";
import { betweenVersions, olderThanSpace } from "./rows-schema.js";
import type { SpaceFailureText } from "./space-failure.js";

/** Outcomes below `acked` whose bodies are kept all the same: for a copy of the device that comes late. */
const keptBelowAcked = 256;
/** So many outcomes' bodies expire at once: with every event one would, and each time an old page would be written. */
const expiringAtOnce = 64;
/** Rejected creates that a device may have open; each is a name that its later events are checked against, so none may be dropped. */
const maxRejectedCreates = 10_000;

export interface Identified {
  readonly raw: unknown;
  readonly id: string;
  readonly seq: number;
}

export interface Handled {
  readonly outcomes: readonly EventOutcome[];
  readonly own: OwnEcho;
  /** How they left the space, if nobody writes to it before it is read. */
  readonly left: FoundSpace | undefined;
}

export type HandleResult =
  | { readonly handled: Handled }
  | { readonly failure: SpaceFailureText }
  | "upgrade"
  | "unhandled";

/**
 * Finds the identity of each event and puts them in order of seq.
 * @returns a message where one has none, since it could not get an outcome of its own.
 */
export function identify(events: readonly unknown[]): readonly Identified[] | string {
  const identified: Identified[] = [];
  for (const [position, raw] of events.entries()) {
    const identity = decode(eventIdentityDecoder, raw);
    if (!identity.ok)
      return `events[${position}]: expected an id, a lower-case UUID of version 7, and a seq, a whole number from 1`;
    identified.push({ raw, ...identity.value });
  }
  return identified.sort((a, b) => a.seq - b.seq);
}

type Written = Pick<EventOutcome, "written" | "isWhole">;
const nothingWritten: Written = { written: [], isWhole: false };

/** Where events come from. */
interface Origin {
  readonly device: string;
  readonly user: string;
  /** In which the space takes back what it has lost, if it does now. */
  readonly window: RecoveryWindow | undefined;
}

/**
 * Handles the events that one device sends to one space, inside the space's transaction (DESIGN rule 3).
 * "unhandled" where access or generation are not right, which the answer's own snapshot says in words.
 */
export function handleEvents(
  core: Core,
  transaction: SpaceTransaction,
  request: SpaceRequest,
  sender: Origin,
  events: readonly Identified[],
): MaybePromise<HandleResult> {
  return chain(transaction.open(sender.device, sender.user), (opened): MaybePromise<HandleResult> => {
    if (!opened || opened.role === undefined || opened.role === "former") return "unhandled";
    const { state } = opened;
    if (request.generation !== undefined && request.generation !== state.generation) return "unhandled";
    if (Object.values(request.cursors).some((cursor) => cursor > state.head)) return "unhandled";
    if (needsUpgrade(core, state)) return "upgrade";
    const lastSeq = opened.writer?.lastSeq ?? 0;
    const seen = events.filter(({ seq }) => seq <= lastSeq);
    const fresh = events.filter(({ seq }) => seq > lastSeq);
    return chain(repeat(transaction, opened, seen), (repeated): MaybePromise<HandleResult> => {
      if (repeated.length < seen.length) return { failure: forked(repeated) };
      const failure = refuseSequence(core, opened, fresh, lastSeq, repeated);
      if (failure) return { failure };
      const { isLast } = opened;
      if (fresh.length === 0)
        return { handled: { outcomes: repeated, own: noEcho, left: isLast ? opened : undefined } };
      const handling = new Handling(core, transaction, opened, request, sender, fresh);
      return chain(handling.run(), (outcomes) => {
        const { own, left } = handling;
        return {
          handled: { outcomes: [...repeated, ...outcomes], own, left: isLast ? left : undefined },
        };
      });
    });
  });
}

/** The original outcomes of events that were handled before, up to the first whose id is another. */
function repeat(
  transaction: SpaceTransaction,
  opened: OpenedSpace,
  seen: readonly Identified[],
): MaybePromise<EventOutcome[]> {
  const [first, last] = [seen[0], seen.at(-1)];
  if (!first || !last || !opened.writer) return [];
  return chain(
    transaction.outcomes({ ...opened.writer, generation: opened.state.generation }, first.seq, last.seq),
    (stored) => {
      const bySeq = new Map(stored.map((outcome) => [outcome.seq, outcome]));
      const outcomes: EventOutcome[] = [];
      for (const { id, seq } of seen) {
        const original = bySeq.get(seq);
        if (original?.id !== id) break;
        outcomes.push({
          id,
          seq,
          handled: { recorded: readBody(original.body), duplicate: true },
          ...nothingWritten,
        });
      }
      return outcomes;
    },
  );
}

function forked(matching: readonly EventOutcome[]): SpaceFailureText {
  return {
    code: "device_forked",
    message:
      "Another event has this seq: a copy of this installation writes under the same device id. Take a new one, and send with `was`.",
    members: `"outcomes":[${matching.map((outcome) => outcomeText(outcome, () => false)).join(",")}]`,
  };
}

/** What keeps all of the new events from being handled: a gap, a copy, a newer schema. */
function refuseSequence(
  core: Core,
  { state }: OpenedSpace,
  fresh: readonly Identified[],
  lastSeq: number,
  repeated: readonly EventOutcome[],
): SpaceFailureText | undefined {
  let previous: Identified | undefined;
  for (const event of fresh) {
    const expected = (previous?.seq ?? lastSeq) + 1;
    if (previous?.seq === event.seq) {
      if (previous.id !== event.id) return forked(repeated);
    } else if (event.seq !== expected) {
      return {
        code: "seq_gap",
        message: `Event ${expected} is missing before ${event.seq}. Send from ${lastSeq + 1} on.`,
        members: `"expected":${lastSeq + 1}`,
      };
    }
    previous = event;
  }
  if (!core.schema) return upgradeUnderWay(state) && betweenVersions(state);
  const { version } = core.schema;
  if (state.schema > version) return { code: "schema_unsupported", message: olderThanSpace(state, version) };
  const newest = Math.max(...fresh.map(({ raw }) => schemaOf(raw)));
  if (newest <= version) return undefined;
  return {
    code: "schema_unsupported",
    message: `The app writes under schema version ${newest}, and the server has ${version}. What is written is kept on the device: update the server.`,
  };
}

function schemaOf(raw: unknown): number {
  const { schema } = raw as { schema?: unknown };
  return typeof schema === "number" && Number.isSafeInteger(schema) ? schema : 0;
}

/** The new events of one request, one after another. */
class Handling {
  readonly #device: { readonly device: string; readonly user: string };
  readonly #batch: SpaceBatch;
  readonly #outcomes: EventOutcome[] = [];
  readonly #recorded = new Map<number, Recorded>();
  readonly #stored: { readonly id: string; readonly seq: number; readonly body: string }[] = [];
  /** Ids that the space has not seen before, with their seqs and the devices that they had been of. */
  readonly #fresh = new Map<string, Pick<KnownEvent, "seq" | "was">>();
  /** The first event that had to wait: what comes after it in the space waits too (DESIGN rule 3). */
  #waiting: { readonly seq: number; readonly deferred: Deferred } | undefined;
  readonly #rejectedCreates: RejectedCreate[];
  readonly #rejectedNames: Set<string>;
  readonly #acked: number;
  readonly #sender: Sender;
  readonly #decoded: readonly Decoded<WireEvent>[];
  #known = new Map<string, KnownEvent>();

  constructor(
    private readonly core: Core,
    private readonly transaction: SpaceTransaction,
    private readonly opened: OpenedSpace,
    private readonly request: SpaceRequest,
    { device, user, window }: Origin,
    private readonly events: readonly Identified[],
  ) {
    this.#device = { device, user };
    this.#batch = new SpaceBatch(core, transaction, opened);
    this.#decoded = events.map(({ raw }) => decode(eventDecoder, raw));
    const { writer } = opened;
    this.#acked = Math.max(writer?.acked ?? 0, Math.min(request.acked ?? 0, writer?.lastSeq ?? 0));
    this.#rejectedCreates = (writer?.rejectedCreates ?? []).filter(([seq]) => seq > this.#acked);
    this.#rejectedNames = new Set(this.#rejectedCreates.map(([, domain, key]) => slotName(domain, key)));
    this.#sender = {
      device,
      user,
      // A window is that of one history.
      window: window?.generation === opened.state.generation ? window : undefined,
      space: request.space,
      role: opened.role as Sender["role"],
      wasRejected: (domain, key) => this.#rejectedNames.has(slotName(domain, key)),
      indexOf: (seq) => this.#indexOf(seq),
    };
  }

  get own(): OwnEcho {
    return ownEcho(this.opened, this.#batch.working.slots(), this.#batch.head);
  }

  get left(): FoundSpace {
    return this.#batch.left;
  }

  run(): MaybePromise<readonly EventOutcome[]> {
    return chain(this.transaction.knownEvents(this.events.map(({ id }) => id)), (known) => {
      this.#known = new Map(known.map((event) => [event.id, event]));
      return chain(this.#loadNamed(), () =>
        chain(
          eachInTurn(this.events, (event, position) =>
            this.#handle(event, this.#decoded[position] as Decoded<WireEvent>),
          ),
          () => chain(this.#save(), () => this.#outcomes),
        ),
      );
    });
  }

  /** Loads the rows that the ops of all events name, in one go. */
  #loadNamed(): MaybePromise<void> {
    const keys: RecordKey[] = [];
    for (const decoded of this.#decoded) {
      if (decoded.ok && !("void" in decoded.value)) keys.push(...namedKeys(decoded.value));
    }
    return this.#batch.working.load(keys);
  }

  #handle(event: Identified, decoded: Decoded<WireEvent>): MaybePromise<void> {
    if (this.#waiting)
      return this.#defer(event, {
        ...this.#waiting.deferred,
        message: `Event ${this.#waiting.seq} comes first, and waits.`,
      });
    const repeated = this.#recorded.get(event.seq);
    if (repeated) return this.#push(event, { recorded: repeated, duplicate: true });
    if (this.#rejectedCreates.length > maxRejectedCreates) {
      return this.#defer(event, {
        code: "busy",
        message: "Too many rejected records wait for the device to say, by `acked`, that it knows of them.",
      });
    }
    const known = this.#known.get(event.id) ?? this.#ofThisRequest(event.id);
    if (known)
      return chain(this.#original(event, known), (recorded) => {
        const isRejected = recorded.status === "rejected";
        // What stands on a refused create does so on whatever device: it may not meet another's record.
        if (isRejected) this.#noteCreates(event, true);
        return this.#record(event, recorded, !isRejected || recorded.code !== "id_conflict");
      });
    return chain(runEvent(this.#batch, this.#sender, decoded, event), (run) => {
      if ("deferred" in run) return this.#defer(event, run.deferred);
      this.#noteCreates(event, run.recorded.status === "rejected");
      const was = decoded.ok ? decoded.value.was?.device : undefined;
      this.#fresh.set(event.id, { seq: event.seq, was });
      return this.#record(event, run.recorded, false, run);
    });
  }

  /**
   * The outcome of an event that the space has seen under another seq, where the same device had sent it, or the one that
   * it names with `was`, or that which the event named when it was seen first: no writer session gives an id twice, so it
   * is the same event. A device whose disk fell back to an older copy does not know under which seq that was, one that has
   * forked twice names the first device, and after a restore seqs start anew (rules 3 and 12).
   */
  #original(event: Identified, known: KnownEvent): MaybePromise<Recorded> {
    const { was } = event.raw as { was?: { device?: unknown } };
    const isOwn = [known.device, known.was].some(
      (device) => device !== undefined && (device === this.#device.device || device === was?.device),
    );
    // A device is one only together with its user: nobody learns the outcome of another's event.
    if (!isOwn || known.user !== this.#device.user) {
      return {
        status: "rejected",
        code: "id_conflict",
        message: `The id ${event.id} belongs to another event of this space. This is a fault: report it.`,
      };
    }
    const recorded = this.#fresh.has(event.id) ? this.#recorded.get(known.seq) : undefined;
    return (
      recorded ??
      chain(this.transaction.outcomes(known, known.seq, known.seq), ([outcome]) => readBody(outcome?.body))
    );
  }

  #ofThisRequest(id: string): KnownEvent | undefined {
    const fresh = this.#fresh.get(id);
    return fresh && { ...this.#device, ...fresh, id, generation: this.opened.state.generation };
  }

  #record(
    event: Identified,
    recorded: Recorded,
    duplicate: boolean,
    written: Written = nothingWritten,
  ): void {
    this.#recorded.set(event.seq, recorded);
    this.#stored.push({ id: event.id, seq: event.seq, body: storedBody(recorded) });
    this.#push(event, { recorded, duplicate }, written);
  }

  #defer(event: Identified, deferred: Deferred): void {
    this.#waiting ??= { seq: event.seq, deferred };
    this.#push(event, { deferred });
  }

  #push(
    { id, seq }: Identified,
    handled: EventOutcome["handled"],
    { written, isWhole }: Written = nothingWritten,
  ): void {
    this.#outcomes.push({ id, seq, handled, written, isWhole });
  }

  #noteCreates({ seq, raw }: Identified, rejected: boolean): void {
    if (!rejected && this.#rejectedNames.size === 0) return;
    for (const { domain, key } of createdKeys(raw)) {
      const name = slotName(domain, key);
      if (!rejected) this.#rejectedNames.delete(name);
      else {
        this.#rejectedNames.add(name);
        this.#rejectedCreates.push([seq, domain, key]);
      }
    }
  }

  #indexOf(seq: number): MaybePromise<number | undefined> {
    const here = this.#recorded.get(seq);
    if (here) return here.status === "applied" ? here.index : undefined;
    return chain(
      this.transaction.outcomes({ ...this.#device, generation: this.opened.state.generation }, seq, seq),
      ([outcome]) => {
        const recorded = readBody(outcome?.body);
        return recorded.status === "applied" ? recorded.index : undefined;
      },
    );
  }

  #save(): MaybePromise<void> {
    const last = this.#stored.at(-1);
    return (
      last &&
      this.#batch.save({
        writer: this.#writer(last.seq),
        outcomes: {
          outcomes: this.#stored,
          fresh: [...this.#fresh].map(([id, known]) => ({ id, ...known })),
        },
      })
    );
  }

  #writer(lastSeq: number): WriterState {
    const cursors = Object.values(this.request.cursors);
    const expired = this.opened.writer?.expired ?? 0;
    const expirable = this.#acked - keptBelowAcked;
    return {
      ...this.#device,
      lastSeq,
      acked: this.#acked,
      expired: expirable - expired < expiringAtOnce ? expired : expirable,
      rejectedCreates: this.#rejectedCreates.filter(([, domain, key]) =>
        this.#rejectedNames.has(slotName(domain, key)),
      ),
      seenAt: Math.floor(this.core.clock.now()),
      cursor: cursors.length === 0 ? (this.opened.writer?.cursor ?? 0) : Math.min(...cursors),
    };
  }
}

/** The keys that an event creates, as far as it can be read: later events of the device depend on them. */
function createdKeys(raw: unknown): RecordKey[] {
  const ops = (raw as { ops?: unknown } | null)?.ops;
  if (!Array.isArray(ops)) return [];
  return ops.flatMap((op: { op?: unknown; domain?: unknown; key?: unknown } | null) =>
    op?.op === "create" &&
    typeof op.domain === "string" &&
    typeof op.key === "string" &&
    isIdentifier(op.domain) &&
    isIdentifier(op.key)
      ? [{ domain: op.domain, key: op.key }]
      : [],
  );
}
