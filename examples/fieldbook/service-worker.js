// The build puts `const shell = { version, files }` before this: what the app is made of, by name.

/* global shell */

const cacheName = `fieldbook-${shell.version}`;

addEventListener("install", (event) => {
  // `reload` goes past the browser's own cache, or an old file could be stored under the new version.
  const store = async () => {
    const cache = await caches.open(cacheName);
    await cache.addAll(shell.files.map((file) => new Request(file, { cache: "reload" })));
  };
  event.waitUntil(store());
});

addEventListener("activate", (event) => {
  const clean = async () => {
    for (const name of await caches.keys())
      if (name.startsWith("fieldbook-") && name !== cacheName) await caches.delete(name);
    await clients.claim();
  };
  event.waitUntil(clean());
});

// A newer build waits until the person says so: a page never runs half of one build and half of another.
addEventListener("message", ({ data }) => {
  if (data?.type === "takeOver") void skipWaiting();
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  // The API is the client's own business: it keeps its data itself, and nothing of it is ever cached here.
  if (request.method !== "GET" || origin !== location.origin || pathname.startsWith("/v1/")) return;
  const file = request.mode === "navigate" ? "/" : pathname;
  if (shell.files.includes(file)) event.respondWith(fromShell(file, request));
});

async function fromShell(file, request) {
  const cache = await caches.open(cacheName);
  return (await cache.match(file)) ?? fetch(request);
}
