/**
 * SQLite for the floor: what is in Node where there is one, else the package with the same API.
 * @type {typeof import("@photostructure/sqlite")}
 */
const sqlite = hasBuiltIn() ? await import("node:sqlite") : await import("@photostructure/sqlite");

function hasBuiltIn() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 13);
}

export const { DatabaseSync } = sqlite;
