import { describe } from "vitest";
import { whereIsChromium } from "./chromium.js";
import { findProgram, postgresFolders } from "./programs.js";

/** What some tests need beside Node and the npm packages. */
export type Need = "chromium" | "postgres" | "nats";

const finders: Readonly<Record<Need, { find: () => boolean; advice: string }>> = {
  chromium: {
    find: () => whereIsChromium() !== undefined,
    advice: "Install Chromium, or set CHROMIUM_PATH to the program of one.",
  },
  postgres: {
    find: () => findProgram("initdb", postgresFolders()) !== undefined,
    advice: "Install the PostgreSQL server (its initdb has to be on the path or under /usr/lib/postgresql).",
  },
  nats: {
    find: () => findProgram("nats-server") !== undefined,
    advice: "Install nats-server and put it on the path.",
  },
};

/**
 * `describe` for tests that need something which not every machine has. Where it is absent they are skipped,
 * with a title from which `npm test` names what was missing; where `LANDFALL_REQUIRE` names it (a list with
 * commas, set in continuous integration) its absence is an error instead.
 *
 *     needs("chromium")("the app shell", () => { test("starts offline", …) });
 */
export function needs(need: Need): (title: string, body: () => void) => void {
  const { find, advice } = finders[need];
  if (find()) return (title, body) => void describe(title, body);
  if (isRequired(need)) {
    throw new Error(`LANDFALL_REQUIRE names ${need}, and this machine has none. ${advice}`);
  }
  return (title, body) => void describe.skip(`${title} [needs ${need}]`, body);
}

function isRequired(need: Need): boolean {
  return (process.env.LANDFALL_REQUIRE ?? "").split(",").includes(need);
}
