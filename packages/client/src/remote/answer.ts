import { type Decoded, type Row, type StreamLine, decodeText, streamLine } from "@landfall/protocol";
import { type AnswerSink, RemoteError } from "./port.js";

/** A line longer than this is not one of ours: the longest carries the outcomes of a request. */
const maxLineChars = 16_777_216;

export function garbled(why: string): RemoteError {
  return new RemoteError({
    code: "garbled",
    message: `What answered is not a Landfall server, or was damaged on the way: ${why}.`,
  });
}

/** @throws RemoteError `garbled` when it was not decoded. */
export function sound<T>(decoded: Decoded<T>): T {
  if (!decoded.ok) throw garbled(decoded.message);
  return decoded.value;
}

/** Where each line may stand, and what comes after it: 0 the start, 1 between spaces, 2 inside one, 3 the end. */
const order: {
  readonly [T in NonNullable<StreamLine["type"]> | "row"]: readonly [place: number, next: number];
} = {
  time: [0, 1],
  space: [1, 2],
  row: [2, 2],
  checkpoint: [2, 2],
  end: [2, 1],
  failure: [1, 1],
  done: [1, 3],
};

interface LineReader {
  take(line: StreamLine): void;
  /** Hands over the rows that were taken. */
  flush(): void;
  /** Nothing more comes. */
  end(): void;
}

/** Takes an answer's lines into the sink. Its functions throw a RemoteError `garbled` for a line in the wrong place, or missing at the end. */
function lineReader(sink: AnswerSink): LineReader {
  let rows: Row[] = [];
  let place = 0;
  const flush = (): void => {
    if (rows.length > 0) sink.rows(rows);
    rows = [];
  };
  const take = (line: StreamLine): void => {
    const [from, next] = order[line.type ?? "row"];
    // A space can also fail when a part of it has been sent.
    if (place !== from && !(line.type === "failure" && place === 2))
      throw garbled("its lines are out of order");
    place = next;
    if (line.type === undefined) return void rows.push(line);
    flush();
    if (line.type === "time") sink.time(line.time);
    else if (line.type === "space") sink.space({ reset: [], ...line });
    else if (line.type === "checkpoint") sink.checkpoint({ scan: {}, ...line });
    else if (line.type === "end") sink.end({ more: false, scan: {}, digests: {}, horizons: {}, ...line });
    else if (line.type === "failure") sink.failure(line.space, line.error);
  };
  const end = (): void => {
    if (place !== 3) throw garbled("it was cut off");
  };
  return { take, flush, end };
}

/** Reads an answer that came whole. @throws RemoteError `garbled` */
export function readLines(lines: readonly StreamLine[], sink: AnswerSink): void {
  const { take, end } = lineReader(sink);
  lines.forEach(take);
  end();
}

/**
 * Reads a streamed answer into the sink, with the rows of each piece of text together.
 * @throws RemoteError `garbled` for a line that is not ours, in the wrong place, or missing at the end.
 */
export async function readStream(texts: AsyncIterable<string>, sink: AnswerSink): Promise<void> {
  const { take, flush, end } = lineReader(sink);
  let tail = "";
  for await (const text of texts) {
    // Only the new piece is searched, so that a long line costs no more than its length.
    const lines = text.split("\n");
    lines[0] = tail + (lines[0] as string);
    tail = lines.pop() as string;
    for (const line of lines) take(sound(decodeText(streamLine, line)));
    if (tail.length > maxLineChars) throw garbled("a line has no end");
    flush();
  }
  end();
}
