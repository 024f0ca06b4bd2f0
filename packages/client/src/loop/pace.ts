/** The paces of DESIGN §8 and their bounds, in milliseconds of uptime. */

const firstRetryMs = 5_000;
const lastRetryMs = 300_000;
/** Between two looks where no socket tells of changes. */
export const idleMs = 60_000;
/** Between two looks while a socket tells of changes: for the digests, and in case that it is wrong. */
export const watchedIdleMs = 600_000;
/** Least time between two tries that hints of the platform bring about. */
export const hintMs = 1_000;
/** Seen again after so long without a try, the client looks at once. */
export const freshMs = 10_000;
/** How long an answer may stream while new writes wait. */
export const turnMs = 10_000;
/** A space that was stopped is asked for again so often: its server is updated, or its member invited again. */
export const stoppedMs = 300_000;
/** The longest wait that a server, or something in between, can impose at once. */
const longestAskedMs = 86_400_000;
/** Between two attempts to renew a token that is about to expire. */
export const renewRetryMs = 30_000;
/** The time up to which a space is in step is told at most so often. */
export const confirmMs = 1_000;
/** Progress is told at most so often. */
export const progressMs = 100;

/** 5 s doubling to 5 min, a quarter more or less. @param failures how many in a row, from 1. @param random in [0, 1). */
export function backoffMs(failures: number, random: number): number {
  return Math.min(firstRetryMs * 2 ** (failures - 1), lastRetryMs) * (0.75 + random / 2);
}

/** What a server asks to wait is waited, and up to a quarter more, so that not all come back at once. */
export function askedMs(ms: number, random: number): number {
  return Math.min(ms, longestAskedMs) * (1 + random / 4);
}
