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
    const told = (/** @type {unknown} */ progress) => parentPort?.postMessage({ progress });
    void (shrink ? shrunk(of, extra, { told }) : report(of, extra)).then(
      (/** @type {any} */ result) => {
        const problems = [...result.problems, ...strays.map((text) => ({ check: "stray", text }))];
        parentPort?.postMessage({ result: { ...result, problems } });
      },
      // Thrown here it would be taken for one that nobody waits for, and whoever has asked would wait for ever.
      (/** @type {unknown} */ error) => parentPort?.postMessage({ error }),
    );
  },
);
