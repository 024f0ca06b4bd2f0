import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createServer, devTokens, sqlite, staticFiles } from "@landfall/server";
import { sampleMembers, sampleSite, writeSample } from "./sample.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const built = `${here}dist/server/schema.js`;

if (!existsSync(built)) {
  console.error("Fieldbook is not built yet. Run `npm start` in the workspace, which builds and starts it.");
  process.exit(1);
}

const port = Number(process.env.PORT ?? 4400);
const file = process.env.LANDFALL_DATA ?? ".landfall/fieldbook.db";
mkdirSync(dirname(file), { recursive: true });

/** @type {typeof import("./src/schema.js")} */
const { schema } = await import(pathToFileURL(built).href);
const server = createServer({
  schema,
  storage: sqlite(file),
  // Anyone may sign in as anyone: this is a demo, and the server refuses these tokens unless it is told so.
  auth: devTokens(),
  development: true,
  fallback: staticFiles(`${here}dist/app`),
});
await addSample();
const listening = await server.listen(port);

console.log(`
Fieldbook runs at ${listening.url}

  1. Open it and sign in as Ann. Open it in another browser, or a private window, as Bob.
  2. Switch on "Work offline" as Bob, and change the same project as both. Bob's changes wait.
  3. Switch it off again. Both show the same, and what lost is in the inbox of who wrote it.
  4. Reload while offline, or install it: it starts without a network.

The data is in ${file}. Ctrl-C stops it.`);

for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.once(signal, () => {
    console.log("\nStopping …");
    server.close().then(
      () => process.exit(0),
      (/** @type {unknown} */ error) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}

/** Makes the sample site on the first run, as its owner would: by the same requests. */
async function addSample() {
  const [owner = "", ...others] = sampleMembers;
  const headers = { authorization: `Bearer dev:${owner}`, "content-type": "application/json" };
  const ask = (/** @type {string} */ path, /** @type {RequestInit} */ init) =>
    server.handler(new Request(`http://localhost${path}`, { headers, ...init }));
  const made = await ask("/v1/spaces", { method: "POST", body: JSON.stringify({ space: sampleSite }) });
  if (made.status !== 201) return;
  for (const user of others) {
    const path = `/v1/spaces/${sampleSite}/members/${user}`;
    await ask(path, { method: "PUT", body: JSON.stringify({ role: "writer" }) });
  }
  await server.space(sampleSite).write(writeSample);
}
