import { readFileSync } from "node:fs";

/**
 * The memory of this process in bytes: resident now, and its highest since the process started.
 * With `gc`, after a full collection (the process needs `--expose-gc`).
 *
 * @param {{ gc?: boolean }} options
 * @returns {Promise<{ residentBytes: number, peakBytes: number, heapBytes: number }>}
 */
export async function memoryUse({ gc = false }) {
  if (gc) await collect();
  const peakBytes = process.platform === "linux" ? linuxPeakBytes() : process.resourceUsage().maxRSS * 1024;
  const { rss, heapUsed, external } = process.memoryUsage();
  return { residentBytes: rss, peakBytes, heapBytes: heapUsed + external };
}

/** Several rounds, because finalizers of one round free what the next one can collect. */
async function collect() {
  if (typeof globalThis.gc !== "function") throw new Error("The process was started without --expose-gc.");
  for (let round = 0; round < 4; round++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function linuxPeakBytes() {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
  if (match === null) throw new Error("/proc/self/status has no VmHWM line.");
  return Number(match[1]) * 1024;
}
