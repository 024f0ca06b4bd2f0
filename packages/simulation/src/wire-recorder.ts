import {
  type AskedEvent,
  type ExchangeRequest,
  type Outcome,
  type StreamLine,
  allOutcomes,
} from "@landfall/protocol";
import type { AnswerPart, RequestPart, Who } from "./history.js";
import { type Counts, count } from "./network/network.js";
import type { Onlooker } from "./network/port.js";
import type { Program } from "./program.js";
import type { Recorder } from "./recorder.js";

const exchangePath = "/v1/exchange";

/** The lines of a stream; of a row nobody wants to know more than that it came. */
const linesOf = (text: string): (StreamLine | undefined)[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (line.startsWith('{"domain":') ? undefined : (JSON.parse(line) as StreamLine)));

type Loose<T> = { -readonly [K in keyof T]: T[K] };

/** Reads along on the wire, and writes down what it carries. */
export class WireRecorder implements Onlooker {
  /** The space that the stream of an exchange is in, and that of its repetition. */
  readonly #open = new Map<string, string>();
  /** What an exchange asked for, by its number. */
  readonly #asked = new Map<number, ExchangeRequest>();
  exchanges = 0;
  requests = 0;

  constructor(
    readonly recorder: Recorder,
    readonly counts: Counts,
    readonly whoOf: (program: Program) => Who,
    /** Hears of every exchange that is asked for. */
    readonly asked: (program: Program) => void,
  ) {}

  sent(number: number, from: Program, path: string, body: string): void {
    this.requests += 1;
    if (path !== exchangePath) return;
    this.exchanges += 1;
    const request = JSON.parse(body) as ExchangeRequest;
    this.#asked.set(number, request);
    this.recorder.add({
      type: "request",
      ...this.whoOf(from),
      exchange: number,
      deviceId: request.device,
      spaces: request.spaces.map((part) => ({
        space: part.space,
        ...(part.generation === undefined ? {} : { generation: part.generation }),
        acked: part.acked ?? 0,
        cursors: part.cursors,
        events: (part.events ?? []) as unknown as RequestPart["events"],
      })),
    });
    this.asked(from);
  }

  answered(
    number: number,
    server: Program,
    path: string,
    http: number,
    text: string | readonly StreamLine[],
    isRepeated = false,
  ): void {
    if (path !== exchangePath) return;
    this.recorder.add({
      type: "answerLeft",
      exchange: number,
      server: server.name,
      http,
      spaces:
        http === 200 ? this.#parts(number, typeof text === "string" ? linesOf(text) : text, isRepeated) : [],
    });
    if (http !== 200) count(this.counts, `answer.${http}`);
  }

  arrived(number: number, at: Program, path: string, whole: boolean): void {
    if (path === exchangePath)
      this.recorder.add({ type: "answerArrived", ...this.whoOf(at), exchange: number, whole });
  }

  #parts(number: number, lines: readonly (StreamLine | undefined)[], isRepeated: boolean): AnswerPart[] {
    const stream = `${number} ${isRepeated}`;
    const parts: Loose<AnswerPart>[] = [];
    const part = (space: string): Loose<AnswerPart> => {
      let last = parts.at(-1);
      if (last?.space !== space) {
        last = { space, outcomes: [] };
        parts.push(last);
      }
      return last;
    };
    const here = (): Loose<AnswerPart> => part(this.#open.get(stream) ?? "");
    for (const message of lines) {
      switch (message?.type) {
        case undefined:
          here();
          break;
        case "space": {
          this.#open.set(stream, message.space);
          const { generation, head, lastSeq, reset } = message;
          const outcomes = allOutcomes(message, this.#eventsOf(number, message.space));
          Object.assign(part(message.space), { generation, head, lastSeq, outcomes });
          if (reset) part(message.space).reset = reset;
          for (const outcome of outcomes) this.#countOutcome(outcome);
          if (reset && reset.length > 0) count(this.counts, "reset");
          break;
        }
        case "checkpoint":
          here().cursors = message.cursors;
          count(this.counts, "checkpoint");
          break;
        case "end": {
          const { head, lastSeq, cursors, digests } = message;
          Object.assign(here(), { head, lastSeq, cursors, more: false, ...(digests && { digests }) });
          break;
        }
        case "failure":
          part(message.space).error = message.error;
          count(this.counts, `space.${message.error.code}`);
          break;
        default:
      }
    }
    return parts;
  }

  #eventsOf(number: number, space: string): readonly AskedEvent[] {
    const part = this.#asked.get(number)?.spaces.find((each) => each.space === space);
    return (part?.events ?? []) as readonly AskedEvent[];
  }

  #countOutcome(outcome: Outcome): void {
    const code = "code" in outcome ? `.${outcome.code}` : "";
    count(this.counts, `outcome.${outcome.status}${code}`);
    if ("superseded" in outcome && outcome.superseded) count(this.counts, "superseded");
    if ("omitted" in outcome && outcome.omitted) count(this.counts, "omitted");
    if ("eff" in outcome && outcome.eff) count(this.counts, "clamped");
  }
}
