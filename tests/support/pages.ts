import { rm } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { sources } from "../../scripts/sources.mjs";
import { launchChromium, makeProfile } from "./chromium.js";

/** A browser on a page that is made of one TypeScript file, with the sources of the packages. */
export interface Pages {
  /** Opens the page in a new tab. @param query of its address, with the question mark */
  open(query?: string): Promise<Page>;
  /** What the tabs threw and nobody caught. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

/** @param entry the page's script */
export async function openPages(entry: URL): Promise<Pages> {
  const server = await serve(await bundlePage(entry));
  const profile = await makeProfile();
  const browser = await launchChromium(profile);
  const errors: string[] = [];
  return {
    async open(query = "") {
      const tab = await browser.newPage();
      tab.on("pageerror", (error) => errors.push(String(error)));
      await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${query}`);
      return tab;
    },
    errors,
    async close() {
      await browser.close();
      await rm(profile, { recursive: true, force: true });
      server.close();
    },
  };
}

async function serve(script: string): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === "/page.js") response.setHeader("content-type", "text/javascript").end(script);
    else if (request.url?.startsWith("/v1/")) response.writeHead(503).end();
    else
      response
        .setHeader("content-type", "text/html")
        .end("<!doctype html><body><script type=module src=/page.js></script>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** The script of a page, with the sources of the packages. */
export async function bundlePage(entry: URL): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [sources("browser")],
  });
  return outputFiles[0]?.text ?? "";
}
