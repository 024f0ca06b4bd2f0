import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const packages = fileURLToPath(new URL("../../packages/", import.meta.url));

/** Serves one page made of a TypeScript file with the sources of the packages, as the other tests run them. */
export interface PageServer {
  /** Where the page is. */
  readonly url: string;
  close(): void;
}

/** @param entry the page's script */
export async function servePage(entry: URL): Promise<PageServer> {
  const script = await bundle(fileURLToPath(entry));
  const server: Server = createServer((request, response) => {
    if (request.url === "/page.js") response.setHeader("content-type", "text/javascript").end(script);
    else if (request.url?.startsWith("/v1/")) response.writeHead(503).end();
    else
      response
        .setHeader("content-type", "text/html")
        .end("<!doctype html><body><script type=module src=/page.js></script>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => void server.close(),
  };
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [
      {
        name: "sources",
        setup({ onResolve }) {
          onResolve({ filter: /^#net$/ }, () => ({ path: `${packages}client/src/browser-net.ts` }));
          onResolve({ filter: /^@landfall\// }, ({ path }) => {
            const [, name = "", ...rest] = path.split("/");
            return { path: `${packages}${name}/src/${rest.join("/") || "index"}.ts` };
          });
        },
      },
    ],
  });
  return outputFiles[0]?.text ?? "";
}
