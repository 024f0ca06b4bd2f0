import { type Decoded, decodeText, exchangeAnswer, streamLine } from "@landfall/protocol";
import type { Row, StreamLine } from "@landfall/protocol";
import { type AnswerSink, RemoteError } from "./port.js";

/** A line longer than this is not one of ours: the longest carries the outcomes of a request. */
const maxLineChars = 16_777_216;

export function garbled(message: string): RemoteError {
  return new RemoteError({ kind: "garbled", message });
}

function sound<T>(decoded: Decoded<T>): T {
  if (!decoded.ok) throw garbled(`What answered is not a Landfall server, or the answer was damaged (${decoded.message}).`);
  return decoded.value;
}

/** Hands a whole answer to the sink as if it had been streamed. */
export function readAnswer(text: string, sink: AnswerSink): void {
  const { time, spaces } = sound(decodeText(exchangeAnswer, text));
  sink.time(time);
  for (const answer of spaces) {
    if ("error" in answer) {
      sink.failure(answer.space, answer.error);
      continue;
    }
    const { reset = [], scan = {}, digests = {}, rows } = answer;
    sink.space({ ...answer, reset });
    sink.rows(rows);
    sink.end({ ...answer, scan, digests });
  }
}

/**
 * Reads a streamed answer line by line into the sink, with the rows of each piece of text together.
 * @throws RemoteError `garbled` for a line that is not ours, in the wrong place, or missing at the end.
 */
export async function readStream(texts: AsyncIterable<string>, sink: AnswerSink): Promise<void> {
  let rows: Row[] = [];
  let place: "start" | "between" | "inside" | "done" = "start";
  const expect = (expected: typeof place, then: typeof place = expected): void => {
    if (place !== expected) throw garbled("The lines of the answer are out of order.");
    place = then;
  };
  const flush = (): void => {
    if (rows.length > 0) sink.rows(rows);
    rows = [];
  };
  const take = (line: StreamLine): void => {
    if (line.type === undefined) {
      if (place !== "inside") expect("inside");
      rows.push(line);
      return;
    }
    flush();
    switch (line.type) {
      case "time":
        expect("start", "between");
        return sink.time(line.time);
      case "space":
        expect("between", "inside");
        return sink.space({ ...line, reset: line.reset ?? [] });
      case "checkpoint":
        expect("inside");
        return sink.checkpoint({ ...line, scan: line.scan ?? {} });
      case "end":
        expect("inside", "between");
        return sink.end({ ...line, more: false, scan: line.scan ?? {}, digests: line.digests ?? {} });
      case "failure":
        expect("between");
        return sink.failure(line.space, line.error);
      case "done":
        return expect("between", "done");
    }
  };
  let tail = "";
  for await (const text of texts) {
    let from = 0;
    // Only the new piece is searched, so that a long line costs no more than its length.
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      const line = tail + text.slice(from, at);
      tail = "";
      from = at + 1;
      if (line !== "") take(sound(decodeText(streamLine, line)));
    }
    tail += text.slice(from);
    if (tail.length > maxLineChars) throw garbled("A line of the answer has no end.");
    flush();
  }
  if ((place as string) !== "done") throw garbled("The answer was cut off.");
}
