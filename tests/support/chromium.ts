import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium, type BrowserContext } from "playwright-core";
import { findProgram, isExecutable } from "./programs.js";

const cacheFolder = fileURLToPath(new URL("../../node_modules/.cache/landfall/", import.meta.url));

/** How long a page may take before it counts as one that hangs; how fast it is, `bench/` measures. */
const hangMs = 120_000;

type LaunchOptions = NonNullable<Parameters<typeof chromium.launchPersistentContext>[1]>;

/** A program to start with what it needs in its environment. */
interface Browser {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Where a Chromium comes from on this machine: the path of an installed one, `"npm"` for the one that is
 * packed in `@sparticuz/chromium`, or undefined where there is none.
 *
 * @throws Error when CHROMIUM_PATH names something that is not a program: falling back to another browser
 *   would hide the mistake.
 */
export function whereIsChromium(): string | undefined {
  const chosen = process.env.CHROMIUM_PATH;
  if (chosen !== undefined && chosen !== "") {
    if (isExecutable(chosen)) return chosen;
    throw new Error(
      `CHROMIUM_PATH is ${chosen}, which is not a program that can be run. Correct or unset it.`,
    );
  }
  const installed = findProgram("chromium", ["/usr/bin"]);
  if (installed !== undefined) return installed;
  return process.platform === "linux" && process.arch === "x64" ? "npm" : undefined;
}

/**
 * Starts a Chromium with a profile of its own, without a window. Two profiles are two browsers: they share
 * no cookies, no storage and no locks. Starting the same profile again finds what was stored before.
 *
 * @param profile a folder, e.g. from {@link makeProfile}
 */
export async function launchChromium(profile: string, options: LaunchOptions = {}): Promise<BrowserContext> {
  const { path, env } = await findBrowser();
  const browser = await chromium.launchPersistentContext(profile, {
    headless: true,
    timeout: hangMs,
    ...options,
    executablePath: path,
    env: { ...definedEnv(), ...env },
    args: [
      "--no-sandbox", // Chromium refuses its sandbox to root, which is who runs tests in many containers.
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      ...(options.args ?? []),
    ],
  });
  browser.setDefaultTimeout(hangMs);
  return browser;
}

/** Makes an empty profile folder; the caller removes it. */
export function makeProfile(): Promise<string> {
  return mkdtemp(join(tmpdir(), "landfall-profile-"));
}

async function findBrowser(): Promise<Browser> {
  const where = whereIsChromium();
  if (where === undefined) {
    throw new Error(
      "There is no Chromium for this machine. Install one, or set CHROMIUM_PATH to its program.",
    );
  }
  if (where !== "npm") return { path: where, env: {} };
  const folder = await unpackBrowser();
  return {
    path: join(folder, "chromium"),
    // The libraries that a machine without a desktop lacks, and a font, come in the package.
    env: { LD_LIBRARY_PATH: join(folder, "al2023", "lib"), FONTCONFIG_PATH: join(folder, "fontconfig") },
  };
}

/**
 * Unpacks the browser of the npm package once for each version of it. Several test files may do so at the
 * same time: each unpacks into a folder of its own and the first to finish gives it the final name.
 */
async function unpackBrowser(): Promise<string> {
  const manifest = new URL("../../node_modules/@sparticuz/chromium/package.json", import.meta.url);
  const { version } = JSON.parse(await readFile(manifest, "utf8")) as { version: string };
  const folder = join(cacheFolder, `chromium-${version}`);
  if (existsSync(folder)) return folder;
  await mkdir(cacheFolder, { recursive: true });
  const staging = await mkdtemp(join(cacheFolder, "chromium-staging-"));
  // The package unpacks into the temporary folder, and its libraries only where it takes the machine for the
  // service that it was made for; a process of its own keeps both settings out of the tests.
  await promisify(execFile)(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `await (await import("@sparticuz/chromium")).default.executablePath();`,
    ],
    {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      env: { ...process.env, TMPDIR: staging, AWS_LAMBDA_JS_RUNTIME: "nodejs20.x" },
    },
  );
  await mkdir(join(staging, "fontconfig"));
  await writeFile(join(staging, "fontconfig", "fonts.conf"), fontConfig(join(folder, "fonts", "fonts")));
  try {
    await rename(staging, folder);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** The fonts of the system when it has any, and the one from the package always. */
function fontConfig(fonts: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>${fonts}</dir>
  <cachedir>${join(cacheFolder, "font-cache")}</cachedir>
</fontconfig>
`;
}

function definedEnv(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
