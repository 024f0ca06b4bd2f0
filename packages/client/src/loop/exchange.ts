import { type SpaceRequest, limits, protocolVersion } from "@landfall/protocol";
import { type AnswerSink, type Remote, RemoteError, type RemoteFailure } from "../remote/port.js";
import type { BatchBudget } from "./budget.js";
import type { LifeEvent } from "./life.js";
import { pace } from "./pace.js";
import { type LandingMoment, type TrackedSpace, landed, recover, stop, trouble } from "./tracked-space.js";

export interface ExchangeContext {
  readonly remote: Remote;
  readonly token: string;
  readonly device: string;
  readonly budget: BatchBudget;
  /** Aborted when the loop stops. */
  readonly stopped: AbortSignal;
  /** Counts exchanges, from 1. */
  readonly round: number;
  /** The spaces that are due, the most urgent first. */
  readonly due: readonly TrackedSpace[];
  /** Whether to ask even if there is nothing to ask for, to see whether the server is there. */
  readonly probe: boolean;
  /** Whether writes wait that came since the request was made. */
  readonly writesWait: () => boolean;
  readonly moment: (tracked: TrackedSpace) => LandingMoment;
  readonly now: () => number;
  /** The server's clock came. */
  readonly time: (serverMs: number) => void;
  /** The request is about to go, with so many events. */
  readonly sending: (events: number) => void;
  readonly progressed: () => void;
}

interface Asked {
  readonly parts: readonly SpaceRequest[];
  /** The spaces that wait for their part of the answer. */
  readonly spaces: Map<string, TrackedSpace>;
  /** From where each is asked. */
  readonly cursors: Map<TrackedSpace, number>;
  /** Those whose events the request carries. */
  readonly senders: readonly TrackedSpace[];
  readonly events: number;
}

/** A space's own work failed, its storage most likely. */
function broke(tracked: TrackedSpace, error: unknown, at: LandingMoment): void {
  trouble(tracked, "failed", error instanceof Error ? error.message : String(error), at);
}

/** Collects the spaces' parts, within the budget of one request. */
async function collect({ due, budget, moment, round }: ExchangeContext): Promise<Asked> {
  const parts: SpaceRequest[] = [];
  const spaces = new Map<string, TrackedSpace>();
  const cursors = new Map<TrackedSpace, number>();
  const senders: TrackedSpace[] = [];
  let { events, bytes } = budget.now;
  for (const tracked of due.slice(0, limits.maxSpacesPerRequest)) {
    const at = moment(tracked);
    const maySend = tracked.sendAtMs <= at.now;
    tracked.askedRound += 1;
    tracked.trouble = undefined;
    try {
      const part = await tracked.space.request({ events: maySend ? events : 0, bytes, first: senders.length === 0 });
      if (!part) {
        tracked.notBeforeMs = at.now + pace.firstRetryMs;
        tracked.trouble = { code: "not_open", message: "The space is not open." };
        continue;
      }
      const count = part.request.events?.length ?? 0;
      tracked.turn = maySend && count === 0 && senders.length > 0 && tracked.space.sendable > 0 ? 0 : round;
      parts.push(part.request);
      spaces.set(tracked.space.space, tracked);
      cursors.set(tracked, Math.min(...Object.values(part.request.cursors)));
      if (count > 0) senders.push(tracked);
      events -= count;
      bytes = Math.max(0, bytes - part.bytes);
    } catch (error) {
      broke(tracked, error, at);
    }
  }
  return { parts, spaces, cursors, senders, events: budget.now.events - events };
}

interface Sink extends AnswerSink {
  /** The spaces' own work on what came. */
  readonly work: Promise<void>[];
  /** The answer ended in the middle of a space. */
  broken(): void;
}

/** Thrown out of a sink of ours to break off an exchange at a checkpoint, so that waiting writes go. */
const yielded = new Error("Waiting writes go first.");

/** Hands an answer to the spaces that asked; what nobody asked for is passed over. */
function landingSink({ moment, time, now, progressed, writesWait }: ExchangeContext, { spaces, cursors }: Asked): Sink {
  const work: Promise<void>[] = [];
  const begunMs = now();
  let current: TrackedSpace | undefined;
  let headVersion = 0;
  const settle = <T>(tracked: TrackedSpace, outcome: Promise<T>, then: (result: T, at: LandingMoment) => void): void => {
    spaces.delete(tracked.space.space);
    const done = (result: T): void => then(result, moment(tracked));
    work.push(outcome.then(done).catch((error: unknown) => broke(tracked, error, moment(tracked))));
  };
  return {
    work,
    time,
    space(head) {
      const tracked = spaces.get(head.space);
      current = tracked?.closed ? undefined : tracked;
      current?.space.begin(head);
      if (current) current.fromVersion ??= cursors.get(current);
      headVersion = head.head;
    },
    rows(rows) {
      current?.space.rows(rows);
      const last = rows.at(-1);
      if (!current || !last || current.sync.state !== "catching-up") return;
      const from = current.fromVersion ?? 0;
      current.sync = { ...current.sync, progress: { done: Math.max(0, last.version - from), total: Math.max(last.version, headVersion) - from, unit: "changes" } };
      progressed();
    },
    checkpoint(checkpoint) {
      current?.space.checkpoint(checkpoint);
      // Long fetching does not keep writes waiting: the rest is asked for together with them.
      if (current && now() - begunMs > pace.turnMs && writesWait()) throw yielded;
    },
    end(end) {
      const tracked = current;
      current = undefined;
      if (tracked && !tracked.closed) settle(tracked, tracked.space.end(end), (landing, at) => landed(tracked, end, landing, at));
    },
    failure(space, error) {
      const tracked = spaces.get(space);
      if (tracked && !tracked.closed) settle(tracked, tracked.space.failed(error), (recovery, at) => recover(tracked, error.code, recovery, at));
    },
    broken: () => current?.space.broken(),
  };
}

/** What a failed request means for the client as a whole; what it means for a batch or a space is done here. */
async function failureOf(error: unknown, context: ExchangeContext, { spaces, senders, events }: Asked): Promise<LifeEvent> {
  const { stopped, budget, moment } = context;
  if (stopped.aborted) return { type: "skipped" };
  if (error === yielded) return { type: "answered", backoffMs: 0 };
  const failure: RemoteFailure = error instanceof RemoteError ? error.failure : { kind: "refused", status: 0, code: "internal", message: String(error) };
  const { kind, message } = failure;
  if (kind === "network") {
    if (failure.timedOut && events > 1) budget.halve();
    return { type: "unreachable", message };
  }
  if (kind === "garbled") {
    // A page that is too long to be held whole still gets through as a stream.
    for (const tracked of spaces.values()) tracked.far = true;
    return { type: "refused", code: kind, message, retryAfterMs: 0 };
  }
  const { status, code, retryAfterMs = 0 } = failure;
  if (status === 401) return { type: "unauthorized", message };
  if (status === 413 && events > 0) {
    budget.halve();
    const sender = senders[0] as TrackedSpace;
    if (events === 1) {
      await sender.space.failed({ code: "too_large", message }).then(
        (recovery) => recover(sender, "too_large", recovery, moment(sender)),
        (trouble: unknown) => broke(sender, trouble, moment(sender)),
      );
    }
    return { type: "answered", backoffMs: retryAfterMs };
  }
  if (status === 408 && events > 1) budget.halve();
  if (code === "protocol_unsupported" && spaces.size > 0) {
    for (const tracked of spaces.values()) stop(tracked, "outdated", message, moment(tracked).now);
    return { type: "answered", backoffMs: retryAfterMs };
  }
  return { type: "refused", code, message, retryAfterMs };
}

/** One request of the write–read loop for all spaces that are due, and what became of it. Never throws. */
export async function runExchange(context: ExchangeContext): Promise<LifeEvent> {
  const { remote, token, device, stopped, budget, moment, probe } = context;
  const asked = await collect(context);
  if (stopped.aborted || (asked.parts.length === 0 && !probe)) return { type: "skipped" };
  context.sending(asked.events);
  const sink = landingSink(context, asked);
  const stream = [...asked.spaces.values()].some((tracked) => tracked.far);
  try {
    const { backoffMs = 0 } = await remote.exchange({ protocol: protocolVersion, device, spaces: asked.parts }, sink, { token, stream, signal: stopped });
    await Promise.all(sink.work);
    for (const tracked of asked.spaces.values()) broke(tracked, new Error("The server's answer leaves the space out."), moment(tracked));
    if (asked.events > 0) budget.passed();
    return { type: "answered", backoffMs };
  } catch (error) {
    sink.broken();
    await Promise.all(sink.work);
    return await failureOf(error, context, asked);
  }
}
