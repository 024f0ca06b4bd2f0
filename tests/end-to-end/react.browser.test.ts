import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Pages, openPages } from "../support/pages.js";
import { needs } from "../support/require.js";
import type { ReactPage } from "./react-page.js";

declare const page: ReactPage;

needs("chromium")("React in a browser", () => {
  let pages: Pages;
  let tab: Page;

  beforeAll(async () => {
    pages = await openPages(new URL("react-page.tsx", import.meta.url));
    tab = await pages.open();
  });

  afterAll(async () => {
    await pages?.close();
    expect(pages.errors).toEqual([]);
  });

  beforeEach(async () => {
    await tab.reload();
    await tab.waitForFunction(() => typeof page !== "undefined" && page.renders["item n2"] !== undefined);
  });

  /** How often components render because of what is done, once everything has come to rest. */
  async function rendersOf(act: () => unknown): Promise<{ [component: string]: number }> {
    await tab.evaluate(() => page.atRest());
    const before = await tab.evaluate(() => ({ ...page.renders }));
    await tab.evaluate(act);
    await tab.evaluate(() => page.atRest());
    const after = await tab.evaluate(() => ({ ...page.renders }));
    const more = Object.entries(after).map(([name, times]) => [name, times - (before[name] ?? 0)] as const);
    return Object.fromEntries(more.filter(([, times]) => times > 0));
  }

  test("a component renders once when it comes", async () => {
    expect(
      await tab.evaluate(() => [page.renders["list"], page.renders["item n1"], page.renders["item n2"]]),
    ).toEqual([1, 1, 1]);
  });

  test("what a query does not find renders nothing", async () => {
    const renders = await rendersOf(() => page.space.note.update("n3", { text: "Changed" }));
    expect(Object.keys(renders).filter((name) => name !== "pending")).toEqual([]);
  });

  test("a change of a record renders the list that found it and its own item, once each", async () => {
    const renders = await rendersOf(() => page.space.note.update("n1", { text: "Text of n1, again" }));
    expect(renders).toMatchObject({ list: 1, "item n1": 1 });
    expect(renders).not.toHaveProperty("item n2");
    expect(await tab.textContent("li")).toBe("Text of n1, again");
  });

  test("a part of the status renders only when that part changes", async () => {
    const sync = await rendersOf(() => page.client.sync().catch(() => undefined));
    expect(sync).not.toHaveProperty("pending");
    const before = Number(await tab.textContent("#pending"));
    const written = await rendersOf(() => page.space.note.update("n3", { text: "Once more" }));
    expect(written).toEqual({ pending: 1 });
    expect(await tab.textContent("#pending")).toBe(String(before + 1));
  });

  test("no screen ever shows two states of one record, also when rendering is interrupted", async () => {
    await tab.evaluate(async () => {
      for (let turn = 0; turn < 20; turn++) {
        page.disturb();
        // In the middle of the 40 ms that the tree takes.
        await new Promise((resolve) => setTimeout(resolve, 12));
        page.space.note.increment("counted", { seen: 1 });
        await new Promise((resolve) => setTimeout(resolve, 12));
      }
    });
    await tab.waitForFunction(() => document.getElementById("last")?.textContent === "20");
    expect(await tab.evaluate(() => page.torn)).toEqual([]);
    expect(await tab.evaluate(() => page.commits())).toBeGreaterThan(5);
  });

  test("an action tells how far it has come, and a write that cannot stand throws nothing", async () => {
    expect(await tab.evaluate(() => page.progress())).toBe("idle");
    await tab.evaluate(() => page.run(7));
    await tab.waitForFunction(() => page.progress() === "failed");
    await tab.evaluate(() => page.run("Fine"));
    await tab.waitForFunction(() => page.progress() === "pending");
  });

  test("another space shows nothing of the one before", async () => {
    const seen = tab.evaluate(
      () =>
        new Promise<string[]>((resolve) => {
          const texts: string[] = [];
          const shown = document.getElementById("switcher") as HTMLElement;
          new MutationObserver(() => {
            texts.push((shown.textContent ?? "").trim());
            if (texts.at(-1)?.includes("Text of")) page.show("two");
            if (texts.at(-1)?.includes("Elsewhere")) resolve(texts);
          }).observe(shown, { characterData: true, childList: true, subtree: true });
          page.show("one");
        }),
    );
    const texts = await seen;
    expect(texts.at(-1)).toBe("open Elsewhere");
    expect(texts.filter((text) => text.includes("Text of") && text.includes("Elsewhere"))).toEqual([]);
    expect(texts).toContain("opening");
  });
});
