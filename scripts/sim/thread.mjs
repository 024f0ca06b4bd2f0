import { Worker } from "node:worker_threads";

/** @typedef {{ of: any, extra: readonly string[], shrink: boolean }} Task a seed or a plan that was kept */
/** @typedef {{ readonly runs: number, readonly planSteps: number }} Progress */

/** A thread that runs seeds, one after another. @param {string} file the bundle of the world */
export function startThread(file) {
  const worker = new Worker(new URL("worker.mjs", import.meta.url), { workerData: { bundle: file } });
  return {
    /** @param {Task} task @param {(progress: Progress) => void} [told] @returns {Promise<any>} what became of it */
    ask: (task, told) =>
      new Promise((resolve, reject) => {
        const hear = (/** @type {{ progress?: Progress, result?: any, error?: unknown }} */ message) => {
          if (message.progress !== undefined) return told?.(message.progress);
          worker.off("message", hear).off("error", reject);
          if (message.result === undefined) reject(message.error);
          else resolve(message.result);
        };
        worker.on("message", hear).once("error", reject);
        worker.postMessage(task);
      }),
    end: () => worker.terminate(),
  };
}
