import { existsSync, readFileSync } from "node:fs";
import { root, runNpm, whenMain } from "./child.mjs";

/**
 * Makes the workspace ready to build: checks the Node version, and installs what the lockfile names unless
 * just that is installed. Throws with what to do when it cannot.
 */
export async function setUp() {
  checkNodeVersion();
  const missing = firstMissingPackage();
  if (missing === undefined) return;
  console.log(`Installing packages (${missing}) …`);
  // NODE_ENV=production would leave out the tools that the build needs.
  const { code } = await runNpm(["ci", "--include=dev", "--include=optional"], { live: true });
  if (code !== 0) {
    throw new Error(
      "npm ci failed; its own message is above. The packages come from the npm registry: check the network " +
        "and the registry setting of npm, then run the same command again.",
    );
  }
}

function checkNodeVersion() {
  const { engines } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
  const [needMajor = 0, needMinor = 0] = engines.node.replace(">=", "").split(".").map(Number);
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  throw new Error(
    `This is Node ${process.versions.node}; Landfall needs Node ${needMajor}.${needMinor} or newer. ` +
      "Install one (Node 20, 22 and 24 are tested) and run the same command again.",
  );
}

/**
 * Why an install is needed, or undefined. npm leaves a copy of the lockfile with what it installed, so the
 * two are compared: the times of the files would say nothing after a checkout.
 */
function firstMissingPackage() {
  const installedFile = `${root}/node_modules/.package-lock.json`;
  if (!existsSync(installedFile)) return "none are installed yet";
  const wanted = JSON.parse(readFileSync(`${root}/package-lock.json`, "utf8")).packages;
  const installed = JSON.parse(readFileSync(installedFile, "utf8")).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.includes("node_modules/")) continue;
    const present = installed[path];
    // npm leaves out optional packages that are made for another system.
    if (present === undefined && (entry.optional || entry.devOptional)) continue;
    if (present?.version !== entry.version || present?.link !== entry.link) return `${path} is not as locked`;
    if (!existsSync(`${root}/${path}`)) return `${path} is gone`;
  }
  return undefined;
}

await whenMain(import.meta.url, setUp);
