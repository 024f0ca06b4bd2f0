import type { ExchangeRequest, Outcome, Row, StreamLine } from "@landfall/protocol";
import type { AnswerPart, RequestPart, Who } from "./history.js";
import { type Counts, count } from "./network/network.js";
import type { Onlooker } from "./network/port.js";
import type { Program } from "./program.js";
import type { Recorder } from "./recorder.js";

const exchangePath = "/v1/exchange";

const linesOf = (text: string): StreamLine[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as StreamLine);

type Loose<T> = { -readonly [K in keyof T]: T[K] };

/** Reads along on the wire, and writes down what it carries. */
export class WireRecorder implements Onlooker {
  /** The space that the stream of an exchange is in. */
  readonly #open = new Map<number, string>();
  exchanges = 0;
  requests = 0;

  constructor(
    readonly recorder: Recorder,
    readonly counts: Counts,
    readonly whoOf: (program: Program) => Who,
  ) {}

  sent(number: number, from: Program, path: string, body: string): void {
    this.requests += 1;
    if (path !== exchangePath) return;
    this.exchanges += 1;
    const request = JSON.parse(body) as ExchangeRequest;
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
  }

  answered(
    number: number,
    server: Program,
    path: string,
    http: number,
    text: string | readonly StreamLine[],
  ): void {
    if (path !== exchangePath) return;
    this.recorder.add({
      type: "answerLeft",
      exchange: number,
      server: server.name,
      http,
      spaces: http === 200 ? this.#parts(number, typeof text === "string" ? linesOf(text) : text) : [],
    });
    if (http !== 200) count(this.counts, `answer.${http}`);
  }

  arrived(number: number, at: Program, path: string, whole: boolean): void {
    if (path === exchangePath)
      this.recorder.add({ type: "answerArrived", ...this.whoOf(at), exchange: number, whole });
  }

  #parts(number: number, lines: readonly StreamLine[]): AnswerPart[] {
    const parts: Loose<AnswerPart>[] = [];
    let rows: [string, string, number][] = [];
    const part = (space: string): Loose<AnswerPart> => {
      let last = parts.at(-1);
      if (last?.space !== space) {
        rows = [];
        last = { space, outcomes: [], rows };
        parts.push(last);
      }
      return last;
    };
    const here = (): Loose<AnswerPart> => part(this.#open.get(number) ?? "");
    for (const message of lines) {
      switch (message.type) {
        case undefined: {
          const row = message as Row;
          here();
          rows.push([row.domain, row.key, row.version]);
          break;
        }
        case "space": {
          this.#open.set(number, message.space);
          const { generation, head, lastSeq, outcomes, reset } = message;
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

  #countOutcome(outcome: Outcome): void {
    const code = "code" in outcome ? `.${outcome.code}` : "";
    count(this.counts, `outcome.${outcome.status}${code}`);
    if ("superseded" in outcome && outcome.superseded) count(this.counts, "superseded");
    if ("omitted" in outcome && outcome.omitted) count(this.counts, "omitted");
    if ("eff" in outcome && outcome.eff) count(this.counts, "clamped");
  }
}
