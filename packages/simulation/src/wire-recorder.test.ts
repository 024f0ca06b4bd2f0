import { expect, test } from "vitest";
import { EventQueue } from "./event-queue.js";
import type { Program } from "./program.js";
import { Recorder, whoIs } from "./recorder.js";
import { WireRecorder } from "./wire-recorder.js";

const program = { name: "d1.a#1" } as Program;
const path = "/v1/exchange";
const head = (space: string): string =>
  JSON.stringify({ type: "space", space, generation: "g1", head: 1, lastSeq: 0, outcomes: [] });
const end = (head_: number): string =>
  JSON.stringify({ type: "end", head: head_, lastSeq: 0, cursors: {}, digests: {} });

test("of a request that has come twice, each answer is read by itself, though they come in turns", () => {
  const recorder = new Recorder(new EventQueue());
  const wire = new WireRecorder(
    recorder,
    new Map(),
    ({ name }) => whoIs(name, "a", 1),
    () => undefined,
  );
  wire.sent(1, program, path, JSON.stringify({ protocol: 1, device: "d1", spaces: [] }));
  wire.answered(1, program, path, 200, head("first"));
  wire.answered(1, program, path, 200, head("second"), true);
  wire.answered(1, program, path, 200, end(7));
  wire.answered(1, program, path, 200, end(8), true);
  const parts = recorder.entries.flatMap((entry) => (entry.type === "answerLeft" ? entry.spaces : []));
  expect(parts.map(({ space, head: at }) => [space, at])).toEqual([
    ["first", 1],
    ["second", 1],
    ["first", 7],
    ["second", 8],
  ]);
});
