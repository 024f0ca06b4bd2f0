import { protocolVersion } from "@landfall/protocol";
import type { AnswerSink } from "../remote/port.js";
import type { ExchangeOptions } from "./exchange.js";
import type { SpacePart } from "./port.js";
import type { TrackedSpace } from "./tracked-space.js";

/** Below so many events in a request, what is left to send goes with the next one soon enough. */
const worthEvents = 50;
/** So many exchanges after an expectation that failed nothing goes ahead: what failed once fails again soon. */
const pauseRounds = 8;

/** A request that follows the one under way, before that is answered. */
export interface Ahead {
  readonly part: SpacePart;
  /** Hands over what the answer brought; undefined when it is of no use. Never rejects. */
  readonly answer: Promise<((sink: AnswerSink) => void) | undefined>;
}

/**
 * Keeps a whole answer. One that brings a failure, or asks to wait, is left to a request that is made anew; so is one
 * of several pages: it would bring what the request under way fetches too, and there is no end to what others wrote.
 */
async function recorded(
  exchange: (sink: AnswerSink) => Promise<{ readonly backoffMs?: number }>,
): Ahead["answer"] {
  const calls: ((sink: AnswerSink) => void)[] = [];
  let failed = false;
  try {
    const { backoffMs } = await exchange({
      // It waited behind another request, so it says nothing of the clock.
      time: () => undefined,
      space: (head) => calls.push((sink) => sink.space(head)),
      rows: (rows) => calls.push((sink) => sink.rows(rows)),
      checkpoint() {
        throw new Error("An answer of several pages is not what was expected.");
      },
      end: (end) => calls.push((sink) => sink.end(end)),
      failure: () => (failed = true),
    });
    return failed || backoffMs ? undefined : (sink) => calls.forEach((call) => call(sink));
  } catch {
    return undefined;
  }
}

/**
 * Sends what follows a full request while that one is under way, so that the server has work while its answer is
 * taken in. Never rejects.
 * @param events those of the request under way.
 */
export async function sendAhead(
  { remote, token, device, budget, signal, round }: ExchangeOptions,
  tracked: TrackedSpace,
  events: number,
): Promise<void> {
  const { space } = tracked;
  if (events < worthEvents || space.sendable <= events || round < tracked.noAheadBefore) return;
  const part = await space.ahead?.(budget.now).catch(() => undefined);
  if (!part || signal.aborted) return;
  tracked.ahead = {
    part,
    answer: recorded((sink) =>
      remote.exchange({ protocol: protocolVersion, device, spaces: [part.request] }, sink, { token, signal }),
    ),
  };
}

/** The exchange that went ahead, if all came as it expected; what follows it is sent before its answer is awaited. */
export async function followUp(
  options: ExchangeOptions,
  tracked: TrackedSpace,
): Promise<
  | {
      readonly part: SpacePart;
      readonly replay: (sink: AnswerSink) => void;
    }
  | undefined
> {
  const { due, round } = options;
  const { ahead } = tracked;
  tracked.ahead = undefined;
  if (ahead && tracked.maySend && (await tracked.adopt(ahead.part, round))) {
    const { length } = ahead.part.request.events ?? [];
    const following = due.length > 1 ? undefined : sendAhead(options, tracked, length - 1);
    const replay = await ahead.answer;
    await following;
    if (replay) return { part: ahead.part, replay };
  }
  // What went ahead may have been handled all the same; sent anew it is a duplicate (DESIGN rule 3).
  tracked.ahead = undefined;
  tracked.noAheadBefore = round + pauseRounds;
  return undefined;
}
