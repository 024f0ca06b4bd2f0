import type { Decoder } from "@landfall/protocol";
import { decoders } from "@landfall/protocol/declared-decoders.fixture";
import { shapeOf } from "@landfall/protocol/declared-shape";
import { type Shape, parseShape } from "@landfall/protocol/shape.fixture";
import { type Random, standardWords, valueOf } from "@landfall/protocol/shaped-values.fixture";

/** Names that a server under test knows, so that inputs get past its first look. */
export const spaces = ["fuzz-1", "fuzz-2", "fuzz-of-others", "nowhere"];
const names = ["a", "b", "project", "k1", "k2", "n", "tags", "toString"];

/** The words of shapes with values that meet each other: the same few domains, keys and fields. */
const meeting = {
  ...standardWords,
  id: names,
  field: names,
  uint: [0, 0, 1, 2, 3, 7, 100],
  "uint+": [1, 1, 2, 3, 7],
  json32: [null, 1, 2, "x", ["a", "b"], { a: 1 }, 0.5, [], "é"],
};

const shapes = new Map<string, Shape>();

/** A value that a decoder's declaration allows, mostly. */
export function shaped(name: string, random: Random, breaking: number): { [member: string]: unknown } {
  let shape = shapes.get(name);
  if (shape === undefined)
    shapes.set(name, (shape = parseShape(shapeOf(decoders.get(name) as Decoder<unknown>))));
  // A copy, since what is made of words is shared, and may be changed.
  const value = structuredClone(valueOf(shape, random, breaking, meeting));
  return (typeof value === "object" && value !== null ? value : {}) as { [member: string]: unknown };
}

/** Seqs and ids of a few devices, so that events are new, known, or in a gap, each often enough. */
export class Seqs {
  readonly #next = new Map<string, number>();
  #stamps = 0;

  /** An exchange request of a device, with events that stand in order. */
  request(random: Random, breaking: number): { [member: string]: unknown } {
    const request = shaped("exchangeRequest", random, breaking);
    request["protocol"] = 1;
    const device = random.pick(["d1", "d2", "d3"]);
    request["device"] = device;
    const parts = Array.isArray(request["spaces"])
      ? (request["spaces"] as { [member: string]: unknown }[])
      : [];
    if (parts.length === 0) parts.push({ cursors: {} });
    for (const part of parts) {
      if (typeof part !== "object" || part === null || Array.isArray(part)) continue;
      const space = (part["space"] = random.pick(spaces));
      if (random.below(3) > 0) delete part["generation"];
      if (random.below(3) > 0) part["cursors"] = random.pick([{}, { a: 0 }, { a: 0, project: 0 }]);
      part["events"] = Array.from({ length: random.below(4) }, () =>
        this.#event(random, breaking, `${device} ${space}`),
      );
    }
    request["spaces"] = parts;
    return request;
  }

  #event(random: Random, breaking: number, writer: string): unknown {
    const event = shaped("eventDecoder", random, breaking);
    if (typeof event !== "object" || event === null || random.below(20) === 0) return event;
    this.#stamps += 1;
    const time = (1_700_000_000_000 + this.#stamps).toString(16).padStart(12, "0");
    event["id"] = `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000001`;
    event["seq"] = this.#next.get(writer) ?? 1;
    this.#next.set(writer, (this.#next.get(writer) ?? 1) + 1);
    if (random.below(4) > 0) delete event["expect"];
    if (random.below(4) > 0) delete event["was"];
    return event;
  }

  /** Learns from an answer which seq a device's next event has. */
  learn(
    device: unknown,
    answer: readonly {
      readonly space?: unknown;
      readonly lastSeq?: unknown;
      readonly error?: { readonly expected?: unknown };
    }[],
  ): void {
    for (const { space, lastSeq, error } of answer) {
      const next = typeof lastSeq === "number" ? lastSeq + 1 : error?.expected;
      if (typeof next === "number") this.#next.set(`${String(device)} ${String(space)}`, next);
    }
  }

  /** A space that was wiped begins anew. */
  forget(): void {
    this.#next.clear();
  }
}
