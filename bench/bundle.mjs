import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * What the bundle size script says: its output, and whether its budget holds, which it tells by its
 * exit code. Undefined where the workspace has no such script.
 *
 * @returns {Promise<{ text: string, verdict: "pass" | "miss" } | undefined>}
 */
export async function bundleSize() {
  const script = fileURLToPath(new URL("../scripts/bundle-size.mjs", import.meta.url));
  if (!existsSync(script)) return undefined;
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ part) => {
    text += part;
  });
  const code = await new Promise((resolve, reject) => {
    child.once("close", resolve);
    child.once("error", reject);
  });
  return { text: text.trimEnd(), verdict: code === 0 ? "pass" : "miss" };
}
