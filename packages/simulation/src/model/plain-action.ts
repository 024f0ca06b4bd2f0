import type { Fields, Json, Op } from "@landfall/protocol";
import { completeFields } from "./model-row.js";
import { RefusedError } from "./merge.js";
import type { Overlay } from "./overlay.js";
import type { Asked } from "./apply-event.js";

/** A record as an action reads it. */
type PlainRecord = Fields & { readonly key: string };

/** What an action of the world may do, without promises: the model has nothing to wait for. */
export interface PlainTx {
  get(domain: string, key: string): PlainRecord | undefined;
  all(domain: string): readonly PlainRecord[];
  apply(op: Op): void;
  /** The next key for a record that is created without one. */
  newKey(): string;
  readonly now: number;
  readonly user: string;
  /** From 0 up to 1; the event's own sequence. */
  random(): number;
}

/** The app's actions a second time, each written apart from the one that the product runs. */
export type PlainActions = Readonly<Record<string, (tx: PlainTx, args: Json) => void>>;

/** @throws RefusedError */
export function runPlainAction(
  overlay: Overlay,
  asked: Asked,
  actions: PlainActions,
  apply: (op: Op) => void,
): void {
  const action = asked.action === undefined ? undefined : actions[asked.action];
  if (!action) throw new RefusedError("unknown_action", String(asked.action));
  const numbers = sequence(asked.id, 1);
  const keys = sequence(asked.id, 3);
  const record = (domain: string, key: string): PlainRecord | undefined => {
    const row = overlay.get(domain, key);
    return row && !row.deleted ? { ...completeFields(row.fields, overlay.facts(domain)), key } : undefined;
  };
  const tx: PlainTx = {
    get: record,
    all: (domain) =>
      overlay
        .live(domain)
        .toSorted((a, b) => (a.key < b.key ? -1 : 1))
        .map(({ key }) => record(domain, key) as PlainRecord),
    apply,
    newKey: () => keyFrom(keys),
    now: Number.parseInt(asked.id.slice(0, 13).replace("-", ""), 16),
    user: asked.user,
    random: () => {
      const high = numbers() >>> 5;
      return (high * 0x4000000 + (numbers() >>> 6)) / 0x20000000000000;
    },
  };
  try {
    action(tx, asked.args ?? null);
  } catch (error) {
    if (error instanceof RefusedError) throw error;
    throw new RefusedError("action_failed", String(error));
  }
}

/** The small fast counter of 32-bit words that the protocol page gives an action its chance from. */
function sequence(id: string, number: number): () => number {
  const digits = id.split("-").join("");
  const state = new Int32Array(
    [0, 8, 16, 24].map((from) => Number.parseInt(digits.slice(from, from + 8), 16)),
  );
  const at = (index: number): number => state[index] as number;
  state[0] = at(0) ^ Math.imul(number, 0x9e3779b9);
  const step = (): number => {
    const out = (at(0) + at(1) + at(3)) | 0;
    const [a, b, c] = [at(1) ^ (at(1) >>> 9), at(2) + (at(2) << 3), (at(2) << 21) | (at(2) >>> 11)];
    state.set([a, b, c + out, at(3) + 1]);
    return out >>> 0;
  };
  for (let skipped = 0; skipped < 16; skipped++) step();
  return step;
}

function keyFrom(words: () => number): string {
  const letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  let key = "";
  for (;;) {
    const word = words();
    for (const byte of [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24]) {
      if (byte >= 252) continue;
      key += letters.charAt(byte % 36);
      if (key.length === 20) return key;
    }
  }
}
