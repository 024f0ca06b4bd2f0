import { parentPort, workerData } from "node:worker_threads";

/** Runs seeds in a thread of its own, one after another, as the script asks for them. */
const { report, shrunk } = await import(workerData.bundle);

/** @type {string[]} */
let strays = [];
// What nobody waits for must not fail either; it happened in the run of this moment.
process.on("unhandledRejection", (error) => {
  strays.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
});

parentPort?.on(
  "message",
  (/** @type {{ of: any, extra: readonly string[], shrink: boolean }} */ { of, extra, shrink }) => {
    strays = [];
    void (shrink ? shrunk(of, extra) : report(of, extra)).then(
      (/** @type {any} */ result) => {
        const problems = [...result.problems, ...strays.map((text) => ({ check: "stray", text }))];
        parentPort?.postMessage({ ...result, problems });
      },
      (/** @type {unknown} */ error) => {
        throw error;
      },
    );
  },
);
