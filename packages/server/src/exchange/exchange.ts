import { type ExchangeRequest, type SpaceRequest, limits } from "@landfall/protocol";
import { Sightings } from "../access/sightings.js";
import { upgradeSpace } from "../apply/upgrade.js";
import { slotName } from "../apply/working-set.js";
import type { Core } from "../core.js";
import type { User } from "../engine-types.js";
import { LandfallError } from "../landfall-error.js";
import { type Handled, type Identified, handleEvents, identify } from "./handle-events.js";
import { type EventOutcome, outcomesText } from "./outcome.js";
import { noEcho } from "./own-echo.js";
import { type Position, type ReadRequest, type SpaceReading, readLeft, readSpace } from "./read-space.js";
import { offersRows, recoveryWindow } from "./recovery-window.js";
import type { FoundSpace } from "../storage/port.js";
import { schemaText } from "./rows-schema.js";
import { type SpaceFailureText, failureText } from "./space-failure.js";

/** How long a client waits before it sends deferred events again. */
const busyRetryMs = 1_000;

/** Rows of the first page of a stream that brings no outcomes. */
const firstRows = 100;

/** Counts of what exchanges did, for the metrics. */
export interface ExchangeCounts {
  exchanges: number;
  rowsSent: number;
  readonly events: Map<string, number>;
}

const nothingHandled: Handled = { outcomes: [], own: noEcho, left: undefined };

/** Answers exchanges: writes first, then what lies after the cursors (DESIGN §6). */
export class Exchange {
  readonly sightings = new Sightings();
  readonly counts: ExchangeCounts = { exchanges: 0, rowsSent: 0, events: new Map() };
  /** Spaces of which the log has that an older server takes no writes to them: devices ask again and again. */
  readonly #outdated = new Set<string>();

  constructor(private readonly core: Core) {}

  /** The whole answer as JSON text. */
  async answer(user: User, request: ExchangeRequest, signal?: AbortSignal): Promise<string> {
    this.#begin(request);
    const spaces = await Promise.all(
      request.spaces.map((space) => this.#answerSpace(user, request, space, signal)),
    );
    return `{"time":${this.#time()},"spaces":[${spaces.join(",")}]}`;
  }

  /** The answer line by line, a page at a time: the consumer's pull is the backpressure. */
  async *stream(user: User, request: ExchangeRequest, signal?: AbortSignal): AsyncIterable<string> {
    this.#begin(request);
    yield `{"type":"time","time":${this.#time()}}\n`;
    for (const space of request.spaces) yield* this.#streamSpace(user, request, space, signal);
    yield '{"type":"done"}\n';
  }

  /** @throws LandfallError `too_large` */
  #begin(request: ExchangeRequest): void {
    let events = 0;
    for (const space of request.spaces) events += space.events?.length ?? 0;
    if (new Set(request.spaces.map(({ space }) => space)).size < request.spaces.length)
      throw new LandfallError("invalid_request", "spaces: a space is named twice; each is asked for once.");
    const { maxEventsPerRequest } = this.core.limits;
    if (events > maxEventsPerRequest)
      throw new LandfallError(
        "too_large",
        `The request has ${events} events; ${maxEventsPerRequest} are taken at a time. Send them in parts.`,
      );
    this.counts.exchanges += 1;
  }

  async #answerSpace(
    user: User,
    request: ExchangeRequest,
    space: SpaceRequest,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const failed = (failure: SpaceFailureText): string =>
      `{"space":"${space.space}","error":${failureText(failure)}}`;
    const handled = await this.#handle(user, request.device, space, signal);
    if ("code" in handled) return failed(handled);
    const result = await this.#read(toRead(user, request, space, handled, this.core), handled.left);
    if ("code" in result) return failed(result);
    const { rows, next, more, lastPage } = result;
    const scan = Object.keys(next.scan).length === 0 ? "" : `,"scan":${JSON.stringify(next.scan)}`;
    return `{${headText(this.core, space.space, result, handled)},"rows":[${rows.map(({ text }) => text).join(",")}],"cursors":${JSON.stringify(next.cursors)}${scan},"more":${more}${lastPage}}`;
  }

  async *#streamSpace(
    user: User,
    request: ExchangeRequest,
    space: SpaceRequest,
    signal: AbortSignal | undefined,
  ): AsyncIterable<string> {
    const failed = (failure: SpaceFailureText): string =>
      `{"type":"failure","space":"${space.space}","error":${failureText(failure)}}\n`;
    const handled = await this.#handle(user, request.device, space, signal);
    if ("code" in handled) return yield failed(handled);
    let read = toRead(user, request, space, handled, this.core);
    const { limit } = read;
    // The reader begins while the next page is read. What is left out for its own events is looked for on the whole first page.
    if (handled === nothingHandled) read = { ...read, limit: Math.min(limit, firstRows) };
    let head: SpaceReading | undefined;
    for (;;) {
      checkAborted(signal);
      const result = await this.#read(read, head ? undefined : handled.left);
      if ("code" in result) return yield failed(result);
      let text = "";
      if (!head) {
        head = result;
        text = `{"type":"space",${headText(this.core, space.space, result, handled)}}\n`;
      } else if (result.reset.length > 0 || result.state.schema !== head.state.schema) {
        return yield failed({
          code: "busy",
          message:
            "Deletes were cleared away, or the rows were brought to another schema, while they were read. Ask again from the last checkpoint.",
          members: '"retryAfterMs":0',
        });
      }
      if (result.rows.length > 0) text += `${result.rows.map((row) => row.text).join("\n")}\n`;
      if (!result.more) return yield text + endText(result);
      // What the first line named as left out lies on the first page; a row of it that comes later was changed since.
      yield `${text}{"type":"checkpoint",${positionText(result.next)}}\n`;
      read = {
        ...read,
        request: { ...read.request, generation: result.state.generation },
        position: result.next,
        own: noEcho,
        limit,
      };
    }
  }

  /** Handles a space's events; what fails in the storage defers them all, since nothing of them was kept. */
  async #handle(
    user: User,
    device: string,
    space: SpaceRequest,
    signal: AbortSignal | undefined,
  ): Promise<Handled | SpaceFailureText> {
    checkAborted(signal);
    const events = identify(space.events ?? []);
    if (typeof events === "string") return { code: "invalid_space", message: events };
    if (events.length === 0) return nothingHandled;
    let result: Handled | SpaceFailureText;
    try {
      result = await this.#write(user, device, space, events);
    } catch (error) {
      this.core.logger.error("events were deferred because the storage failed", {
        space: space.space,
        error,
      });
      result = deferAll(events);
    }
    if ("outcomes" in result) this.#count(result.outcomes);
    else this.#tell(space.space, result);
    return result;
  }

  async #write(
    user: User,
    device: string,
    space: SpaceRequest,
    events: readonly Identified[],
  ): Promise<Handled | SpaceFailureText> {
    const window = offersRows(events)
      ? recoveryWindow(
          this.core,
          await this.core.storage.read((snapshot) => snapshot.generations(space.space)),
        )
      : undefined;
    for (;;) {
      const result = await this.core.storage.write(space.space, (transaction) =>
        handleEvents(this.core, transaction, space, { device, user: user.id, window }, events),
      );
      if (result === "unhandled") return nothingHandled;
      if (result !== "upgrade") return "failure" in result ? result.failure : result.handled;
      await this.#upgrade(space.space);
    }
  }

  /** @param left how the request's events left the space, where nobody can have written since. */
  async #read(read: ReadRequest, left: FoundSpace | undefined): Promise<SpaceReading | SpaceFailureText> {
    for (;;) {
      const known = left && readLeft(read, left);
      const result = known
        ? { reading: known }
        : await this.core.storage.read((snapshot) => readSpace(this.core, snapshot, read));
      if (result === "upgrade") {
        await this.#upgrade(read.request.space);
        continue;
      }
      if ("failure" in result) return result.failure;
      this.counts.rowsSent += result.reading.rows.length;
      if (!result.reading.more) this.#sight(read, result.reading);
      return result.reading;
    }
  }

  #sight({ request, device, user }: ReadRequest, { state }: SpaceReading): void {
    // A request without cursors reads nothing, and says nothing of where the device is.
    if (Object.keys(request.cursors).length === 0) return;
    this.sightings.note(request.space, state.generation, {
      device,
      user,
      seenAt: this.#time(),
      cursor: state.head,
      acked: request.acked ?? 0,
    });
  }

  /** What keeps all apps from writing, whoever runs the server must know. */
  #tell(space: string, { code, message }: SpaceFailureText): void {
    if (code !== "schema_unsupported" || this.#outdated.has(space)) return;
    this.#outdated.add(space);
    this.core.logger.warn(message, { space });
  }

  #upgrade(space: string): Promise<void> {
    return this.core.storage.write(space, (transaction) => upgradeSpace(this.core, space, transaction));
  }

  #count(outcomes: readonly EventOutcome[]): void {
    for (const { handled } of outcomes) {
      const status =
        "deferred" in handled ? "deferred" : handled.duplicate ? "duplicate" : handled.recorded.status;
      this.counts.events.set(status, (this.counts.events.get(status) ?? 0) + 1);
    }
  }

  #time(): number {
    return Math.floor(this.core.clock.now());
  }
}

function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new LandfallError("timeout", "The request was given up before it was answered. Send it again.");
}

function toRead(
  user: User,
  request: ExchangeRequest,
  space: SpaceRequest,
  { own }: Handled,
  core: Core,
): ReadRequest {
  const limit = Math.min(request.limit ?? limits.defaultPageRows, core.limits.maxPageRows);
  return {
    request: space,
    device: request.device,
    user: user.id,
    position: { cursors: space.cursors, scan: space.scan ?? {} },
    limit,
    own,
  };
}

function deferAll(events: readonly Identified[]): Handled {
  const deferred = {
    code: "busy",
    message: "The server could not write just now; nothing of this was kept. It is sent again.",
    retryAfterMs: busyRetryMs,
  };
  return {
    outcomes: events.map(({ id, seq }) => ({ id, seq, handled: { deferred }, written: [], isWhole: false })),
    own: noEcho,
    left: undefined,
  };
}

function headText(
  core: Core,
  space: string,
  { state, lastSeq, reset, omitted }: SpaceReading,
  { outcomes }: Handled,
): string {
  const isOmitted = ([domain, key]: readonly [string, string]): boolean => omitted.has(slotName(domain, key));
  const resets = reset.length === 0 ? "" : `,"reset":${JSON.stringify(reset)}`;
  return `"space":"${space}","generation":"${state.generation}"${schemaText(core, state)},"head":${state.head},"lastSeq":${lastSeq},${outcomesText(outcomes, isOmitted)}${resets}`;
}

function positionText({ cursors, scan }: Position): string {
  return `"cursors":${JSON.stringify(cursors)}${Object.keys(scan).length === 0 ? "" : `,"scan":${JSON.stringify(scan)}`}`;
}

function endText({ state, lastSeq, next, lastPage }: SpaceReading): string {
  return `{"type":"end","head":${state.head},"lastSeq":${lastSeq},${positionText(next)}${lastPage}}\n`;
}
