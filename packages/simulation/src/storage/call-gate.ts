import type { MaybePromise } from "@landfall/server/maybe-promise";

/** One call of a storage, on its way in. */
export interface StorageCall<Kind extends string = string> {
  /** Counts the calls of one disk, from 1 on, through all its crashes. */
  readonly n: number;
  readonly kind: Kind;
}

/**
 * What becomes of a call. `crash-before` and `crash-after`: the process ends there, and this call and every later one
 * never answer. `full`: there is no room for it. `fail`: it throws, as on a bad block. `slow`: it is carried out
 * later.
 */
export type Verdict = "go" | "crash-before" | "crash-after" | "full" | "fail" | "slow";

/** How the world steers a storage; without a hook every call goes. */
export interface CallPorts<Kind extends string = string> {
  readonly hook?: (call: StorageCall<Kind>) => Verdict;
  /** What a slow call waits for; by the world's own scheduler. */
  readonly slow?: (call: StorageCall<Kind>) => Promise<void>;
  /** Hears of a crash that the hook asked for, at once and before anything else goes on. */
  readonly crashed?: () => void;
}

/** Counts the calls of a disk. */
export class CallCount {
  n = 0;
}

/** How a call is refused; each storage has errors of its own. */
export interface Refusals {
  /** @throws the error of a storage without room. Absent where room is not needed: the call goes. */
  readonly full?: () => never;
  /** @throws the error of a storage that failed. */
  readonly fail: () => never;
}

/**
 * A promise that never settles: what waits for it stops there, as in a process that has been killed. Each call has one
 * of its own, for a promise holds all that waits for it: one for all would keep every world until the program ends.
 */
export const endless = (): Promise<never> => new Promise<never>(() => {});

/** Where all calls of one process's storage pass: counts them, and does to each what the world has decided. */
export class CallGate<Kind extends string = string> {
  #isDead = false;
  /** Ends the waiting of those inside the storage, who must let go of what they hold. */
  readonly #waiting = new Set<(error: Error) => void>();

  /** @param crash what the end of the process does to the disk; runs once, at that very moment. */
  constructor(
    private readonly ports: CallPorts<Kind>,
    private readonly count: CallCount,
    private readonly crash: () => void,
  ) {}

  get isDead(): boolean {
    return this.#isDead;
  }

  /** The process ends now. */
  kill(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.crash();
    for (const reject of this.#waiting) reject(new Error("The process has ended."));
    this.#waiting.clear();
  }

  /** Gives what a call gives, and rejects when the process ends before: for those inside, who must not wait for ever. */
  untilTheEnd<T>(value: MaybePromise<T>): MaybePromise<T> {
    if (!(value instanceof Promise)) return value;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      const settle = (): void => void this.#waiting.delete(reject);
      value.finally(settle).then(resolve, reject);
    });
  }

  /** Carries out a call as the world decides. */
  pass<T>(kind: Kind, run: () => MaybePromise<T>, refusals: Refusals): MaybePromise<T> {
    if (this.#isDead) return endless();
    this.count.n += 1;
    const { hook } = this.ports;
    if (!hook) return run();
    const call = { n: this.count.n, kind };
    const verdict = hook(call);
    if (verdict === "full") return refusals.full ? refusals.full() : run();
    if (verdict === "fail") return refusals.fail();
    if (verdict === "crash-before") return this.#crashHere();
    if (verdict === "slow") {
      const wait = this.ports.slow?.(call) ?? Promise.resolve();
      return wait.then(() => (this.#isDead ? endless() : run()));
    }
    const result = run();
    if (verdict === "go") return result;
    return result instanceof Promise ? result.then(() => this.#crashHere()) : this.#crashHere();
  }

  /** Gives what a promise gives, or nothing ever once the process has ended. */
  whileAlive<T>(promise: Promise<T>): Promise<T> {
    return promise.then(
      (value) => (this.#isDead ? endless() : value),
      (error: unknown) => {
        if (this.#isDead) return endless();
        throw error;
      },
    );
  }

  #crashHere(): Promise<never> {
    this.kill();
    this.ports.crashed?.();
    return endless();
  }
}
