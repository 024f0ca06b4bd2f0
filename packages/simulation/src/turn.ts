/** So many turns are taken at a stretch before the process hears of anything else, such as a signal or a message. */
const turnsAtAStretch = 200;

let turns = 0;
const settled = Promise.resolve();

/**
 * Calls back when everything that was promised so far has happened: Node takes what waits for its next tick only when
 * no microtask is left, and here nothing waits for anything but microtasks and the queue of the world.
 */
export function afterTurn(run: () => void): void {
  turns = (turns + 1) % turnsAtAStretch;
  if (turns === 0) setImmediate(run);
  else void settled.then(() => process.nextTick(run));
}
