import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Pages, openPages } from "../support/pages.js";
import { needs } from "../support/require.js";
import type { TabsPage } from "./tabs-page.js";

declare const page: TabsPage;

/** How often two tabs meet, each time a little later than the time before. */
const rounds = 8;

needs("chromium")("two tabs of a browser that share what is stored", () => {
  let pages: Pages;

  beforeAll(async () => {
    pages = await openPages(new URL("tabs-page.ts", import.meta.url));
  });

  afterAll(async () => {
    await pages?.close();
    expect(pages.errors).toEqual([]);
  });

  async function openTab(user: string): Promise<Page> {
    const tab = await pages.open(`?user=${user}`);
    await tab.waitForFunction(() => typeof page !== "undefined");
    return tab;
  }

  test("rule 8: whoever signs out is given all that another tab has saved, and that tab saves nothing after", async () => {
    let refusals = 0;
    for (let round = 0; round < rounds; round++) {
      const user = `ann${round}`;
      const [leaving, other] = [await openTab(user), await openTab(user)];
      await other.evaluate(() => page.startWriting());
      await leaving.waitForTimeout(round * 10);
      const given = await leaving.evaluate(() => page.signOut("export"));
      const { saved, refused } = await other.evaluate(() => page.stopWriting());
      expect(given).toBeInstanceOf(Array);
      expect(saved.filter((id) => !given.includes(id))).toEqual([]);
      refusals += Number(refused !== undefined);
      await Promise.all([leaving.close(), other.close()]);
      const after = await openTab(user);
      expect(await after.evaluate(() => page.space.note.all())).toEqual([]);
      await after.close();
    }
    // Otherwise the tabs never met.
    expect(refusals).toBeGreaterThan(0);
  });

  test("rule 8: a tab whose connection to the storage is cut off, as WebKit does to one that slept, goes on saving", async () => {
    const tab = await openTab("cleo");
    await tab.evaluate(() => page.startWriting());
    for (let round = 1; round <= 5; round++) {
      await tab.waitForFunction((least) => page.space.note.all().length > least, round * 20);
      expect(await tab.evaluate(() => page.cutOff())).toBeGreaterThan(0);
    }
    const { saved, refused } = await tab.evaluate(() => page.stopWriting());
    expect(refused).toBeUndefined();
    expect(await tab.evaluate(() => page.client.status.storage)).toMatchObject({ problem: null });
    await tab.close();
    const after = await openTab("cleo");
    expect(await after.evaluate(() => page.client.status.pending.count)).toBe(saved.length);
    await after.close();
  });

  test("rule 8: is refused while another tab writes, and all that was saved is still there", async () => {
    const user = "ben";
    const [leaving, other] = [await openTab(user), await openTab(user)];
    await other.evaluate(() => page.startWriting());
    await other.waitForFunction(() => page.space.note.all().length > 20);
    expect(await leaving.evaluate(() => page.signOut("block"))).toBe("unsynced");
    const { saved, refused } = await other.evaluate(() => page.stopWriting());
    expect(refused).toBeUndefined();
    await Promise.all([leaving.close(), other.close()]);
    const after = await openTab(user);
    expect(await after.evaluate(() => page.client.status.pending.count)).toBe(saved.length);
    expect(await after.evaluate(() => page.space.note.all().length)).toBe(saved.length);
    await after.close();
  });
});
