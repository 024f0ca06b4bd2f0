import { type SpaceRequest, protocolVersion } from "@landfall/protocol";
import * as limits from "@landfall/protocol/limits";
import { type AnswerSink, type Remote, RemoteError, type RemoteFailure } from "../remote/port.js";
import { followUp, sendAhead } from "./ahead.js";
import type { BatchBudget } from "./budget.js";
import type { LifeEvent } from "./life.js";
import type { SpacePart } from "./port.js";
import type { TrackedSpace } from "./tracked-space.js";

export interface ExchangeOptions {
  readonly remote: Remote;
  readonly token: string;
  readonly device: string;
  readonly budget: BatchBudget;
  /** Aborted when the loop stops. */
  readonly signal: AbortSignal;
  /** The number of this exchange, from 1. */
  readonly round: number;
  /** The spaces that are due, the most urgent first. */
  readonly due: readonly TrackedSpace[];
  /** Asks even if there is nothing to ask for, to see whether the server is there. */
  readonly probe: boolean;
  /** The request is about to go, with so many events. */
  readonly onSend: (events: number) => void;
  /** It has gone. */
  readonly onSent: () => void;
  readonly onTime: (serverMs: number) => void;
  readonly onProgress: () => void;
  /** Whether an answer is to be broken off at a checkpoint, because writes wait. */
  readonly yields: () => boolean;
}

interface Asked {
  readonly parts: SpaceRequest[];
  /** The spaces that wait for their part of the answer. */
  readonly waiting: Map<string, TrackedSpace>;
  /** The first of those whose events the request carries, and how many it carries. */
  sender: TrackedSpace | undefined;
  events: number;
}

/** Thrown out of the sink to break off an exchange. */
const yielded = new Error();

/** Collects the spaces' parts, within the budget of one request. */
async function collect({ due, budget, round }: ExchangeOptions): Promise<Asked> {
  const asked: Asked = { parts: [], waiting: new Map(), sender: undefined, events: 0 };
  let { events, bytes } = budget.now;
  for (const tracked of due.slice(0, limits.maxSpacesPerRequest)) {
    const part = await tracked.request({ events, bytes, first: !asked.sender }, round);
    if (!part) continue;
    const count = part.request.events?.length ?? 0;
    asked.parts.push(part.request);
    asked.waiting.set(tracked.space.space, tracked);
    if (count > 0) asked.sender ??= tracked;
    asked.events += count;
    events -= count;
    bytes = Math.max(0, bytes - part.bytes);
  }
  return asked;
}

/** What a request has asked that went ahead; the first of its events was asked before. */
function adopted(tracked: TrackedSpace, { request }: SpacePart): Asked {
  const waiting = new Map([[request.space, tracked]]);
  return { parts: [request], waiting, sender: tracked, events: (request.events?.length ?? 0) - 1 };
}

/** What a failed request means for the client as a whole; what it means for a batch or a space is done here. */
async function failed(
  error: unknown,
  { budget }: ExchangeOptions,
  { waiting, sender, events }: Asked,
): Promise<LifeEvent> {
  const {
    code,
    message,
    status,
    retryAfterMs = 0,
    timedOut,
  }: RemoteFailure = error instanceof RemoteError ? error : { code: "internal", message: String(error) };
  if (status === 401) return { type: "unauthorized", message };
  const tooLarge = status === 413 && sender;
  if ((tooLarge || timedOut || status === 408) && events > 1) budget.halve();
  if (tooLarge && events === 1) await sender.fail({ code: "too_large", message });
  else if (code === "protocol_unsupported" && waiting.size > 0)
    for (const tracked of waiting.values()) tracked.stop("outdated", message);
  else if (!tooLarge) return { type: "failed", code, message, retryAfterMs };
  return { type: "answered", backoffMs: retryAfterMs };
}

/** One request of the write–read loop for all spaces that are due, and what became of it. Never throws. */
export async function runExchange(options: ExchangeOptions): Promise<LifeEvent> {
  const { remote, token, device, budget, signal, onProgress, yields } = options;
  const ahead = options.due.find((tracked) => tracked.ahead);
  const follow = ahead && (await followUp(options, ahead));
  const asked = follow && ahead ? adopted(ahead, follow.part) : await collect(options);
  const { parts, waiting, sender } = asked;
  if (signal.aborted || (parts.length === 0 && !options.probe)) return { type: "skipped" };
  const work: Promise<void>[] = [];
  let current: TrackedSpace | undefined;
  /** What one space does about its failure may take the others along: one after another, or each waits for the other. */
  let failures = Promise.resolve();
  /** The space's part has ended; what nobody asked for, or was closed meanwhile, is passed over. */
  const take = (space: string): TrackedSpace | undefined => {
    const tracked = waiting.get(space);
    waiting.delete(space);
    current = undefined;
    return tracked?.closed ? undefined : tracked;
  };
  const sink: AnswerSink = {
    time: options.onTime,
    space(head) {
      current = waiting.get(head.space);
      current?.begin(head);
    },
    rows(rows) {
      current?.space.rows(rows);
      current?.came(rows.at(-1)?.version ?? 0);
      onProgress();
    },
    checkpoint(checkpoint) {
      current?.space.checkpoint(checkpoint);
      if (yields()) throw yielded;
    },
    end(end) {
      const tracked = current && take(current.space.space);
      if (tracked) work.push(tracked.end(end));
    },
    failure(space, error) {
      const tracked = take(space);
      if (tracked) work.push((failures = failures.then(() => tracked.fail(error))));
    },
  };
  options.onSend(asked.events);
  let following: Promise<void> | undefined;
  try {
    let backoffMs = 0;
    if (follow) {
      options.onSent();
      follow.replay(sink);
    } else {
      const answered = remote.exchange({ protocol: protocolVersion, device, spaces: parts }, sink, {
        token,
        signal,
      });
      options.onSent();
      if (parts.length === 1) following = sender && sendAhead(options, sender, asked.events);
      ({ backoffMs = 0 } = await answered);
      if (following) await following;
    }
    for (const each of work) await each;
    for (const tracked of waiting.values()) tracked.trouble("The server's answer leaves the space out.");
    if (asked.events > 0) budget.passed();
    return { type: "answered", backoffMs };
  } catch (error) {
    await Promise.all([...work, following]);
    // What went ahead of an answer that never came follows nothing.
    if (sender) sender.ahead = undefined;
    if (signal.aborted) return { type: "skipped" };
    return error === yielded ? { type: "answered", backoffMs: 0 } : failed(error, options, asked);
  }
}
