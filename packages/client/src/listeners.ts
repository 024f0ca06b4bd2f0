/**
 * Calls listeners of the app. What one of them throws is an error of the app's, and surfaces as one that nobody
 * caught; it keeps neither the others from being told nor what they are told of from being stored and sent.
 */
export function tell<A extends readonly unknown[]>(
  listeners: Iterable<(...args: A) => void>,
  ...args: A
): void {
  for (const listener of [...listeners]) {
    try {
      listener(...args);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
