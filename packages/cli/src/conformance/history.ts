import { domain } from "./bench.js";
import { add, create, drop, increment, put, remove, update } from "./written-ops.js";

/** A write of a history: who, and which ops. */
export interface Written {
  readonly who: number;
  readonly ops: readonly object[];
}

/** Numbers below 2^32 from a seed (Marsaglia's xorshift, 2003). */
function numbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** Writes at random over a few keys and fields, the same for the same seed. */
export function historyOf(seed: number, length: number): readonly Written[] {
  const next = numbers(seed);
  const pick = <T>(of: readonly T[]): T => of[next() % of.length] as T;
  const field = (): string => pick(["a", "b", "c"]);
  const oneOp = (key: string): object => {
    switch (next() % 12) {
      case 0:
      case 1:
        return create(key, { [field()]: next() % 10, n: 0 });
      case 2:
        return put(key, { [field()]: next() % 10, [field()]: "put" });
      case 3:
        return increment(key, { n: (next() % 7) - 3 });
      case 4:
        return add(key, { s: [pick(["x", "y", 1, true]), next() % 3] });
      case 5:
        return remove(key, { s: [pick(["x", "y", 1])] });
      case 6:
        return next() % 3 === 0 ? drop(key) : update(key, { [field()]: null });
      case 7:
        return update(key, {}, [field()]);
      case 8:
        return next() % 4 === 0
          ? { op: "deleteMany", domain, keys: [key] }
          : update(key, { [field()]: next() % 100 });
      default:
        return update(key, { [field()]: next() % 100 });
    }
  };
  return Array.from({ length }, () => {
    const keys = [...new Set(Array.from({ length: 1 + (next() % 3) }, () => `k${next() % 14}`))];
    return { who: next(), ops: keys.map(oneOp) };
  });
}
