import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { type Plugin, defineConfig } from "vite";

const folder = fileURLToPath(new URL(".", import.meta.url));
const appFolder = join(folder, "dist/app");

/** What the page may do: nothing comes from elsewhere, and data goes only to where the page came from. */
const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

interface ManifestEntry {
  readonly file: string;
  readonly css?: readonly string[];
  readonly assets?: readonly string[];
}

/** Writes the service worker with the names of everything that the built app consists of. */
function shellWorker(): Plugin {
  return {
    name: "fieldbook-shell",
    apply: "build",
    applyToEnvironment: ({ name }) => name === "client",
    transformIndexHtml: () => [
      {
        tag: "meta",
        attrs: { "http-equiv": "Content-Security-Policy", content: contentPolicy },
        injectTo: "head-prepend",
      },
    ],
    writeBundle() {
      const manifest = JSON.parse(readFileSync(join(appFolder, ".vite/manifest.json"), "utf8")) as Record<
        string,
        ManifestEntry
      >;
      const built = Object.values(manifest).flatMap(({ file, css = [], assets = [] }) => [
        file,
        ...css,
        ...assets,
      ]);
      const files = [...new Set([...built, ...readdirSync(join(folder, "public"))])].toSorted();
      const hash = createHash("sha256");
      for (const file of ["index.html", ...files])
        hash.update(file).update(readFileSync(join(appFolder, file)));
      const shell = {
        version: hash.digest("hex").slice(0, 12),
        files: ["/", ...files.map((file) => `/${file}`)],
      };
      const source = readFileSync(join(folder, "service-worker.js"), "utf8");
      writeFileSync(
        join(appFolder, "service-worker.js"),
        `const shell = ${JSON.stringify(shell)};\n${source}`,
      );
    },
  };
}

// Two builds: the app for browsers, and the schema alone for the server, which runs without a build step of its own.
export default defineConfig({
  root: folder,
  plugins: [react(), shellWorker()],
  builder: {},
  environments: {
    client: { build: { outDir: "dist/app", manifest: true } },
    ssr: {
      resolve: { external: ["@landfall/schema", "zod"] },
      build: {
        outDir: "dist/server",
        copyPublicDir: false,
        rolldownOptions: { input: "src/schema.ts", output: { entryFileNames: "schema.js" } },
      },
    },
  },
});
