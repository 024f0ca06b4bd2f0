/**
 * Calls back when everything that was promised so far has happened: an immediate runs only when no microtask is
 * left, and here nothing waits for anything but microtasks and the queue of the world.
 */
export function afterTurn(run: () => void): void {
  setImmediate(run);
}
