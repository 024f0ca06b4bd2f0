import type { Core } from "../core.js";

/** A promise's value, unless it takes longer than a space may wait. */
export function withinBudget<T>({ timers, limits }: Core, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = timers.after(limits.actionBudgetMs, () => {
      reject(
        new Error(
          `It took longer than ${limits.actionBudgetMs} ms, and the space waits meanwhile. Do less in it, and no I/O.`,
        ),
      );
    });
    void work.then(resolve, reject).finally(cancel);
  });
}
