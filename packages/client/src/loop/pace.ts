/** The paces of DESIGN §8, in milliseconds of uptime. */
export const pace = {
  firstRetryMs: 5_000,
  lastRetryMs: 300_000,
  /** Between two looks where no socket tells of changes. */
  idleMs: 60_000,
  /** Between two looks while a socket tells of changes: for the digests, and in case that it lies. */
  watchedIdleMs: 600_000,
  /** A new socket's server says `heads` sooner than this, or the space is asked again: a poke may have been missed. */
  firstHeadsMs: 2_000,
  /** Least time between two tries that hints of the platform bring about. */
  hintMs: 1_000,
  /** Seen again after so long without a try, the client looks at once. */
  freshMs: 10_000,
  /** How long an answer may stream while new writes wait. */
  turnMs: 10_000,
  /** An outdated server may be updated under way. */
  outdatedMs: 3_600_000,
  /** The longest wait that a server, or something in between, can impose at once. */
  longestAskedMs: 86_400_000,
  /** Between two attempts to renew a token that is about to expire. */
  renewRetryMs: 30_000,
  /** Progress is told at most so often. */
  progressMs: 100,
} as const;

/** 5 s doubling to 5 min, a quarter more or less. @param failures how many in a row, from 1. @param random in [0, 1). */
export function backoffMs(failures: number, random: number): number {
  return Math.min(pace.firstRetryMs * 2 ** (failures - 1), pace.lastRetryMs) * (0.75 + random / 2);
}

/** What a server asks to wait is waited, and up to a quarter more, so that not all come back at once. */
export function askedMs(ms: number, random: number): number {
  return Math.min(ms, pace.longestAskedMs) * (1 + random / 4);
}
