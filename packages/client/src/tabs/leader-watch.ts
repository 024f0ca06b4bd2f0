import type { TimerPort } from "@landfall/protocol";

/** How long a leader has for an answer; asked twice, since a hidden tab may be slow. */
const answerMs = 5_000;

/** A tab that follows notices a leader that holds the lock but does nothing any more: a frozen page. */
export interface LeaderWatch {
  /** Something is expected of the leader, which must give a sign of life. */
  expect(): void;
  /** The leader gave one: any message that only a leader sends. */
  heard(): void;
}

/** @param ask asks the leader for a sign of life. @param takeOver is called when none came. */
export function watchLeader(timers: TimerPort, ask: () => void, takeOver: () => void): LeaderWatch {
  let cancel: (() => void) | undefined;
  const wait = (then: () => void): void => {
    cancel = timers.after(answerMs, then);
    ask();
  };
  const heard = (): void => {
    cancel?.();
    cancel = undefined;
  };
  return {
    expect() {
      if (!cancel) {
        wait(() =>
          wait(() => {
            heard();
            takeOver();
          }),
        );
      }
    },
    heard,
  };
}
