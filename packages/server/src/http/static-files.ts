import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { extname, join, resolve, sep } from "node:path";
import { Readable } from "node:stream";

const contentTypes: { readonly [extension: string]: string } = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".webmanifest": "application/manifest+json",
  ".txt": "text/plain; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".webp": "image/webp",
  ".avif": "image/avif",
  ".gif": "image/gif",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
};

const always = { "x-content-type-options": "nosniff", "referrer-policy": "same-origin" };

/** Bundlers put a hash of the content into these names, so what a name stands for never changes. */
const hashedName = /[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;

/**
 * Serves the built files of a web app, for `createServer({ fallback })`. A path without an extension that names
 * no file is a page of the app's own making and gets `index.html`. Nothing outside the folder is served, nor
 * anything whose name begins with a dot.
 *
 * @param folder the folder with `index.html`.
 */
export function staticFiles(folder: string): (request: Request) => Promise<Response> {
  const root = resolve(folder);
  return async (request) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("This address answers GET and HEAD.\n", {
        status: 405,
        headers: { ...always, allow: "GET, HEAD" },
      });
    }
    const path = decodePath(new URL(request.url).pathname);
    const file = path === undefined ? undefined : await findFile(root, path);
    if (file === undefined)
      return new Response("There is nothing at this address.\n", { status: 404, headers: always });
    const headers = {
      ...always,
      "content-type": contentTypes[extname(file.path).toLowerCase()] ?? "application/octet-stream",
      "cache-control":
        file.path.includes(`${sep}assets${sep}`) && hashedName.test(file.path)
          ? "public, max-age=31536000, immutable"
          : "no-cache",
      etag: file.etag,
    };
    if (namesTag(request.headers.get("if-none-match"), file.etag))
      return new Response(null, { status: 304, headers });
    const sized = { ...headers, "content-length": String(file.size) };
    if (request.method === "HEAD") return new Response(null, { headers: sized });
    return new Response(Readable.toWeb(createReadStream(file.path)) as ReadableStream, { headers: sized });
  };
}

/** Undefined for a path that could mean anything but a file below the root. */
function decodePath(pathname: string): string | undefined {
  try {
    const path = decodeURIComponent(pathname);
    const parts = path.split("/");
    if (/[\\\0]/.test(path) || parts.some((part) => part.startsWith(".") && part !== ".well-known"))
      return undefined;
    return path;
  } catch {
    return undefined;
  }
}

interface Found {
  readonly path: string;
  readonly size: number;
  readonly etag: string;
}

async function findFile(root: string, path: string): Promise<Found | undefined> {
  const named = (await fileAt(root, path)) ?? (await fileAt(root, join(path, "index.html")));
  return named ?? (extname(path) === "" ? fileAt(root, "index.html") : undefined);
}

async function fileAt(root: string, path: string): Promise<Found | undefined> {
  try {
    // A link may point anywhere: what counts is where the file really is.
    const [home, real] = await Promise.all([realpath(root), realpath(join(root, path))]);
    if (!real.startsWith(home + sep)) return undefined;
    const found = await stat(real);
    if (!found.isFile()) return undefined;
    return {
      path: real,
      size: found.size,
      etag: `"${found.size.toString(36)}-${Math.trunc(found.mtimeMs).toString(36)}"`,
    };
  } catch {
    return undefined;
  }
}

function namesTag(header: string | null, etag: string): boolean {
  return (
    header !== null &&
    header.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag)
  );
}
