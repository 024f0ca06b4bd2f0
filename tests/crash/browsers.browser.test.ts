import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needs } from "../support/require.js";
import { BrowserWorld } from "./browser-world.js";
import { bundle } from "./bundle.js";

/** What befalls the browsers; the long run (`npm run soak -- --browsers N`) asks for more. */
const rounds = Number(process.env["LANDFALL_BROWSER_ROUNDS"] ?? 8);
const roundMs = 15_000;

needs("chromium")("real browsers on a real server", () => {
  test(
    "rules 2, 3, 5 and 8: tabs that crash, freeze and lose their storage, and browsers and servers that are killed, lose nothing and do nothing twice",
    { timeout: 240_000 + rounds * roundMs },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "landfall-"));
      const program = await bundle("server-process", folder);
      const world = await BrowserWorld.begin({ folder, program, browsers: 2, tabs: 2 });
      try {
        for (let round = 1; round <= rounds; round++) await world.befall();
        const { acts, problems, acknowledged } = await world.end();
        expect(problems, `after ${JSON.stringify(acts)}`).toEqual([]);
        expect(acknowledged).toBeGreaterThan(10 * rounds);
      } finally {
        await world.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
