import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { build } from "./build.mjs";
import { root, whenMain } from "./child.mjs";

await whenMain(import.meta.url, async () => {
  const demo = `${root}/examples/fieldbook/serve.mjs`;
  if (!existsSync(demo))
    throw new Error(`The demo is missing: ${demo} is not there. Restore it from the repository.`);
  await build();
  process.env.PORT ??= "4400";
  // The demo runs in this process, so that Ctrl-C and a signal from npm reach it and nothing stays behind.
  await import(pathToFileURL(demo).href);
});
