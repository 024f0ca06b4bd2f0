import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { generator } from "@landfall/protocol/shaped-values.fixture";
import { clientTarget } from "./client-target.js";
import { decoderTarget } from "./decoder-target.js";
import { httpTarget } from "./http-target.js";
import { importTarget } from "./import-target.js";
import { socketTarget } from "./socket-target.js";
import type { FuzzTarget, OpenTarget } from "./target.js";

/** Everything that takes inputs from outside. */
export const targets: readonly FuzzTarget[] = [
  decoderTarget,
  httpTarget,
  socketTarget,
  clientTarget,
  importTarget,
];

export interface FuzzOptions {
  readonly seed: number;
  /** The first input; each is made from the seed and its own number, so that any can be had again alone. */
  readonly from?: number;
  /** One past the last input. */
  readonly to: number;
  /** Names of targets; all unless given. */
  readonly only?: readonly string[];
  /** Told now and then: the next input, so that a run that was stopped goes on from there. */
  readonly progress?: (next: number) => void;
  readonly stop?: () => boolean;
}

export interface FuzzReport {
  readonly seed: number;
  readonly from: number;
  /** One past the last input that was fed. */
  readonly to: number;
  readonly targets: { readonly [name: string]: { taken: number; refused: number } };
  readonly failures: readonly { readonly input: number; readonly target: string; readonly message: string }[];
  /** Bytes in use after collecting: at the first tenth of the run and at its end. */
  readonly heap: { readonly early: number; readonly late: number };
  readonly seconds: number;
}

const maxFailures = 20;
const progressEvery = 5_000;

/** Bytes of the heap that are in use, once what is not has been collected. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** Feeds inputs, each to one target, and reports what none may do. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { seed, from = 0, to, only, progress, stop = () => false } = options;
  const began = performance.now();
  const chosen = targets.filter(({ name }) => only === undefined || only.includes(name));
  const shares = chosen.flatMap((target) => Array.from({ length: target.share }, () => target));
  const opened = new Map<string, OpenTarget>();
  const counts: { [name: string]: { taken: number; refused: number } } = {};
  for (const target of chosen) {
    opened.set(target.name, await target.open());
    counts[target.name] = { taken: 0, refused: 0 };
  }
  const failures: FuzzReport["failures"][number][] = [];
  const warm = from + Math.floor((to - from) / 10);
  let early = 0;
  let input = from;
  for (; input < to && failures.length < maxFailures && !stop(); input++) {
    const random = generator(Math.imul(seed ^ 0x9e3779b9, input + 1) ^ input);
    const { name } = random.pick(shares);
    try {
      const fate = await (opened.get(name) as OpenTarget).feed(random);
      (counts[name] as { taken: number; refused: number })[fate] += 1;
    } catch (error) {
      failures.push({ input, target: name, message: error instanceof Error ? error.message : String(error) });
    }
    if (input === warm) early = heapBytes();
    if (input % progressEvery === 0) progress?.(input + 1);
  }
  const late = heapBytes();
  for (const target of opened.values()) await target.close?.();
  const seconds = (performance.now() - began) / 1_000;
  return { seed, from, to: input, targets: counts, failures, heap: { early, late }, seconds };
}
