import { rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium, makeProfile } from "./chromium.js";
import { needs } from "./require.js";

const shell = "<!doctype html><html lang=en><meta charset=utf-8><title>Shell</title><h1>Shell</h1>";

const worker = `
  addEventListener("install", (event) =>
    event.waitUntil(caches.open("shell").then((cache) => cache.addAll(["/"])).then(() => skipWaiting())));
  addEventListener("activate", (event) => event.waitUntil(clients.claim()));
  addEventListener("fetch", (event) =>
    event.respondWith(caches.match(event.request).then((found) => found ?? fetch(event.request))));`;

/** Puts the value under a key of an IndexedDB database, durably, unless it is undefined; gives back what is there. */
function storeInPage(page: Page, value?: string): Promise<unknown> {
  return page.evaluate(async (given) => {
    const done = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(new Error("IndexedDB failed", { cause: request.error }));
      });
    const opening = indexedDB.open("check", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("values");
    const database = await done(opening);
    const store = () =>
      database.transaction("values", "readwrite", { durability: "strict" }).objectStore("values");
    if (given !== undefined) await done(store().put(given, "key"));
    const found = await done(store().get("key"));
    database.close();
    return found as unknown;
  }, value);
}

const fetchInPage = (page: Page) =>
  page.evaluate(() =>
    fetch("/live").then(
      (answer) => answer.text(),
      () => "unreachable",
    ),
  );

needs("chromium")("the browser that the tests drive", () => {
  const browsers: BrowserContext[] = [];
  const profiles: string[] = [];
  let server: Server;
  let url: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const [type, body] =
        request.url === "/worker.js"
          ? ["text/javascript", worker]
          : request.url === "/live"
            ? ["text/plain", "live"]
            : ["text/html", shell];
      response.setHeader("content-type", type).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // By this name and not by address: a service worker needs a secure context, which localhost is.
    url = `http://localhost:${(server.address() as AddressInfo).port}/`;
    profiles.push(await makeProfile(), await makeProfile());
    for (const profile of profiles) browsers.push(await launchChromium(profile));
  });

  afterAll(async () => {
    for (const browser of browsers) await browser.close();
    for (const profile of profiles) await rm(profile, { recursive: true, force: true });
    server.close();
  });

  async function open(browser: BrowserContext): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(url);
    return page;
  }

  test("two profiles share no storage, and keep their own", async () => {
    const [a, b] = [await open(browsers[0]!), await open(browsers[1]!)];
    expect(await storeInPage(a, "of a")).toBe("of a");
    expect(await storeInPage(b)).toBeUndefined();
    expect(await storeInPage(await open(browsers[0]!))).toBe("of a");
  });

  test("tabs of one profile share locks and channels", async () => {
    const [a, b] = [await open(browsers[0]!), await open(browsers[0]!)];
    await a.evaluate(() => {
      void navigator.locks.request("leader", () => new Promise(() => {}));
    });
    const isFree = (page: Page) =>
      page.evaluate(() => navigator.locks.request("leader", { ifAvailable: true }, (lock) => lock !== null));
    await expect.poll(() => isFree(b)).toBe(false);
    await b.evaluate(() => {
      const channel = new BroadcastChannel("news");
      channel.onmessage = ({ data }) => (document.title = String(data));
    });
    await a.evaluate(() => {
      const channel = new BroadcastChannel("news");
      channel.postMessage("heard");
    });
    await expect.poll(() => b.title()).toBe("heard");
    await a.close();
    await expect.poll(() => isFree(b)).toBe(true);
  });

  test("a stored shell and stored data start without a network, also in a new process", async () => {
    const page = await open(browsers[1]!);
    await storeInPage(page, "kept");
    await page.evaluate(async () => {
      await navigator.serviceWorker.register("/worker.js");
      await navigator.serviceWorker.ready;
    });
    expect(await fetchInPage(page)).toBe("live");
    await browsers[1]!.setOffline(true);
    expect(await fetchInPage(page)).toBe("unreachable");
    expect(await page.evaluate(() => navigator.onLine)).toBe(false);
    await browsers[1]!.close();

    browsers[1] = await launchChromium(profiles[1]!);
    await browsers[1].setOffline(true);
    const again = await open(browsers[1]);
    expect(await again.textContent("h1")).toBe("Shell");
    expect(await storeInPage(again)).toBe("kept");
    await browsers[1].setOffline(false);
    expect(await fetchInPage(again)).toBe("live");
  });
});
