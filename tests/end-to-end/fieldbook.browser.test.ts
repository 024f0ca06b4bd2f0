import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { rm } from "node:fs/promises";
import type { AxeResults } from "axe-core";
import type { BrowserContext, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { launchChromium, makeProfile } from "../support/chromium.js";
import { type Fieldbook, startFieldbook } from "../support/fieldbook.js";
import { pressOn, typeInto } from "../support/keyboard.js";
import { needs } from "../support/require.js";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What people see, by the names that they see. */
const bar = (page: Page): Locator => page.getByRole("button", { name: /^Sync status/ });
const offlineSwitch = (page: Page): Locator => page.getByRole("switch", { name: "Work offline" });
const project = (page: Page, name: string | RegExp): Locator => page.getByRole("link", { name });
const button = (page: Page, name: string | RegExp): Locator =>
  page.getByRole("button", { name, exact: true });
const heading = (page: Page, name: string | RegExp): Locator => page.getByRole("heading", { name });
const field = (page: Page, name: string): Locator => page.getByRole("textbox", { name });
const item = (page: Page, text: string): Locator => page.getByRole("listitem").filter({ hasText: text });
const inboxLink = (page: Page): Locator => page.getByRole("link", { name: /^Inbox/ });

const says = (page: Page, words: string | RegExp): Promise<void> =>
  page
    .getByRole("button", {
      name: new RegExp(`^Sync status: .*${typeof words === "string" ? words : words.source}`),
    })
    .waitFor();

/** Waits until the server has everything that the page shows. */
async function synced(page: Page): Promise<void> {
  await says(page, "Up to date");
  await expect.poll(() => page.getByText("Not synced yet").count()).toBe(0);
}

needs("chromium")("Fieldbook", () => {
  let fieldbook: Fieldbook;
  const profiles: string[] = [];
  /** By person; each has a browser of their own. */
  const browsers = new Map<string, BrowserContext>();
  const errors: string[] = [];

  beforeAll(async () => {
    fieldbook = await startFieldbook();
    for (const person of ["Ann", "Bob"]) {
      const profile = await makeProfile();
      profiles.push(profile);
      browsers.set(person, await launch(profile));
    }
  });

  afterAll(async () => {
    for (const browser of browsers.values()) await browser.close();
    await fieldbook?.close();
    for (const profile of profiles) await rm(profile, { recursive: true, force: true });
  });

  afterEach(async () => {
    for (const browser of browsers.values()) {
      await browser.setOffline(false);
      for (const page of browser.pages().toReversed()) {
        // A test that failed may have left it on.
        await page.evaluate(() => localStorage.removeItem("fieldbook:offline")).catch(() => undefined);
        await page.close();
      }
    }
    // An error in the page is a failure, whatever the screen shows.
    expect(errors.splice(0)).toEqual([]);
  });

  async function launch(profile: string): Promise<BrowserContext> {
    const browser = await launchChromium(profile, {
      viewport: { width: 1280, height: 800 },
      locale: "en-GB",
    });
    browser.on("page", (page) => page.on("pageerror", (error) => errors.push(error.stack ?? String(error))));
    return browser;
  }

  /** A tab in somebody's browser; whoever is there for the first time signs in. */
  async function open(person: string): Promise<Page> {
    const browser = browsers.get(person) as BrowserContext;
    const page = await browser.newPage();
    await page.goto(fieldbook.url);
    await heading(page, /^(Fieldbook|Projects)$/).waitFor();
    if (await heading(page, "Fieldbook").isVisible()) await button(page, person).click();
    await heading(page, "Projects").waitFor();
    return page;
  }

  async function rename(page: Page, to: string): Promise<void> {
    await button(page, "Edit").click();
    await field(page, "Name").fill(to);
    await button(page, "Save").click();
    await heading(page, to).waitFor();
  }

  test("by labels and keyboard alone: offline and back, a conflict, and its resolution", async () => {
    const bob = await (browsers.get("Bob") as BrowserContext).newPage();
    await bob.goto(fieldbook.url);
    await pressOn(bob, button(bob, "Bob"));
    await pressOn(bob, project(bob, /Harbour wall/));
    await pressOn(bob, offlineSwitch(bob), "Space");
    await says(bob, "Offline");
    await pressOn(bob, button(bob, "Edit"));
    await typeInto(bob, field(bob, "Name"), "Harbour wall, Bob’s");
    await bob.keyboard.press("Enter");
    await heading(bob, "Harbour wall, Bob’s").waitFor();
    await says(bob, "1 change waiting");

    const ann = await open("Ann");
    await project(ann, /Harbour wall, east/).click();
    await rename(ann, "Harbour wall, Ann’s");
    await synced(ann);

    await pressOn(bob, offlineSwitch(bob), "Space");
    await says(bob, "Up to date");
    await heading(bob, "Harbour wall, Ann’s").waitFor();
    await pressOn(bob, inboxLink(bob));
    const card = item(bob, "so theirs stands");
    await card.getByText("Harbour wall, Bob’s").waitFor();
    await pressOn(bob, card.getByRole("button", { name: /^Write mine again/ }));

    await bob.getByText("Nothing to decide.").waitFor();
    // Nobody is left without a place when the card goes.
    await expect
      .poll(() => heading(bob, "Inbox").evaluate((element) => element === document.activeElement))
      .toBe(true);
    await heading(ann, "Harbour wall, Bob’s").waitFor();
  });

  test("starts offline in a new process from what is stored; edits survive a reload, and converge", async () => {
    let bob = await open("Bob");
    // The shell is stored when its worker has taken over.
    await bob.evaluate(() => navigator.serviceWorker.ready);
    await says(bob, "Up to date");
    await (browsers.get("Bob") as BrowserContext).close();
    const again = await launch(profiles[1] as string);
    browsers.set("Bob", again);
    await again.setOffline(true);

    bob = await open("Bob");
    await says(bob, "Offline");
    await button(bob, "New project").click();
    await field(bob, "Name").fill("Crane track");
    await button(bob, "Add project").click();
    await heading(bob, "Crane track").waitFor();
    await field(bob, "New control point").fill("Rail joints");
    await bob.keyboard.press("Enter");
    await bob
      .getByRole("group", { name: "Result of Rail joints" })
      .getByRole("radio", { name: "Not OK" })
      .check();
    await button(bob, /^Report a deviation/).click();
    await field(bob, "What is wrong").fill("Gap at joint 4");
    await bob.getByRole("radio", { name: "Critical" }).check();
    await button(bob, "Report").click();
    await says(bob, "4 changes waiting");
    await bob.reload();
    await heading(bob, "Crane track").waitFor();
    await item(bob, "Gap at joint 4").waitFor();
    await says(bob, "4 changes waiting");

    await again.setOffline(false);
    await bar(bob).click();
    await button(bob, "Sync now").click();
    await bob.getByText("Everything is in step.").waitFor();
    await bob.keyboard.press("Escape");
    const ann = await open("Ann");
    await project(ann, /Crane track/).click();
    await item(ann, "Gap at joint 4").waitFor();
    await button(ann, /^Visit/).click();
    await button(bob, /^Visit 1/).waitFor();
    const text = (page: Page): Promise<string> => page.getByRole("main").innerText();
    // Each says of its own writes for a moment that they are not at the server yet.
    await expect.poll(async () => (await text(ann)) === (await text(bob))).toBe(true);
  });

  test("a number that two people gave offline: the second gives another, and nothing is lost", async () => {
    const [ann, bob] = [await open("Ann"), await open("Bob")];
    await offlineSwitch(bob).click();
    for (const [page, name] of [
      [ann, "Pump station"],
      [bob, "Sluice gate"],
    ] as const) {
      await button(page, "New project").click();
      await field(page, "Number").fill("2026-777");
      await field(page, "Name").fill(name);
      await button(page, "Add project").click();
      await heading(page, name).waitFor();
    }
    await field(bob, "New control point").fill("Hinges");
    await bob.keyboard.press("Enter");
    await synced(ann);
    await offlineSwitch(bob).click();
    await inboxLink(bob).click();
    await heading(bob, "Another project already has this number.").waitFor();
    await button(bob, /^Change the number/).click();
    await field(bob, "Number").fill("2026-778");
    await button(bob, "Add project").click();
    await bob.getByText("Nothing to decide.").waitFor();
    // What was put under it while it had the other number is under it still.
    await project(ann, /2026-778 Sluice gate/).click();
    await item(ann, "Hinges").waitFor();
  });

  test("a project deleted under an edit comes back whole as a copy", async () => {
    const [ann, bob] = [await open("Ann"), await open("Bob")];
    await project(bob, /Boiler house/).click();
    await offlineSwitch(bob).click();
    await rename(bob, "Boiler house, new roof");
    await project(ann, /Boiler house/).click();
    await button(ann, "Delete").click();
    await button(ann, "Delete project").click();
    await synced(ann);
    await offlineSwitch(bob).click();
    await inboxLink(bob).click();
    await button(bob, /^Keep as a copy/).click();
    await project(ann, /2026-003 Boiler house, new roof/).click();
    await ann.getByText("Plant 2").waitFor();
  });

  test("what was reported under a project that was deleted meanwhile goes under another, or its project comes back", async () => {
    const [ann, bob] = [await open("Ann"), await open("Bob")];
    await button(ann, "New project").click();
    await field(ann, "Name").fill("Old weir");
    await button(ann, "Add project").click();
    await synced(ann);
    await project(bob, /Old weir/).click();
    await offlineSwitch(bob).click();
    for (const title of ["Scour at pier 2", "Railing loose"]) {
      await button(bob, /^Report deviation/).click();
      await field(bob, "What is wrong").fill(title);
      await button(bob, "Report").click();
      await item(bob, title).waitFor();
    }
    await button(ann, "Delete").click();
    await button(ann, "Delete project").click();
    await synced(ann);
    await offlineSwitch(bob).click();
    await inboxLink(bob).click();
    const card = (title: string): Locator => item(bob, title).filter({ hasText: "Its project was deleted" });
    await card("Railing loose").waitFor();
    await card("Scour at pier 2").getByRole("combobox").selectOption({ index: 1 });
    await card("Scour at pier 2")
      .getByRole("button", { name: /^Put it there/ })
      .click();
    await card("Railing loose")
      .getByRole("button", { name: /^Bring its project back/ })
      .click();
    await field(bob, "Number").fill("2026-500");
    await field(bob, "Name").fill("Old weir, again");
    await button(bob, "Bring it back").click();
    await bob.getByText("Nothing to decide.").waitFor();
    await project(ann, /Old weir, again/).click();
    await item(ann, "Railing loose").waitFor();
    await project(ann, /Harbour wall/).click();
    await item(ann, "Scour at pier 2").waitFor();
  });

  test("a tab closed mid-write loses nothing that was saved, and another tab takes over from it", async () => {
    const writer = await open("Bob");
    const watcher = await open("Bob");
    for (const page of [writer, watcher]) await project(page, /Footbridge/).click();
    await offlineSwitch(writer).click();
    await says(watcher, "Offline");
    const bolt = (page: Page, number: number): Locator =>
      page.getByRole("group", { name: `Result of Bolt ${number}`, exact: true });
    const shown = (page: Page): Promise<string[]> =>
      page
        .locator("legend")
        .filter({ hasText: /^Result of Bolt/ })
        .allInnerTexts();
    const entry = field(writer, "New control point");
    await entry.focus();
    // Types on until the tab goes.
    const typing = (async () => {
      for (let number = 1; ; number++) {
        await writer.keyboard.insertText(`Bolt ${number}`);
        await writer.keyboard.press("Enter");
      }
    })().catch(() => undefined);
    // Another tab shows what the first has saved, and nothing else of it.
    await bolt(watcher, 25).waitFor();
    await writer.close();
    await typing;
    const saved = await shown(watcher);
    expect(saved.length).toBeGreaterThanOrEqual(25);
    await watcher.reload();
    await bolt(watcher, 25).waitFor();
    const kept = await shown(watcher);
    expect(saved.filter((one) => !kept.includes(one))).toEqual([]);
    expect(new Set(kept).size).toBe(kept.length);

    await offlineSwitch(watcher).click();
    await says(watcher, "Up to date");
    const ann = await open("Ann");
    await project(ann, /Footbridge/).click();
    await bolt(ann, 25).waitFor();
    expect((await shown(ann)).toSorted()).toEqual((await shown(watcher)).toSorted());
  });

  test("removing a member is asked twice, and leaves the keyboard a place", async () => {
    const ann = await open("Ann");
    await button(ann, /^Site:/).click();
    await button(ann, "Members of this site").click();
    await field(ann, "Invite by name").fill("Cleo");
    await button(ann, "Invite").click();
    await pressOn(ann, button(ann, "Remove Cleo"));
    await pressOn(ann, button(ann, "Cancel"));
    await item(ann, "Cleo").waitFor();
    await pressOn(ann, button(ann, "Remove Cleo"));
    await pressOn(ann, button(ann, "Remove"));
    await item(ann, "Cleo").waitFor({ state: "detached" });
    const hasFocus = (element: Element): boolean => element === document.activeElement;
    await expect.poll(() => field(ann, "Invite by name").evaluate(hasFocus)).toBe(true);
  });

  test("somebody who was removed, and is invited again, gets the site back", async () => {
    const [ann, bob] = [await open("Ann"), await open("Bob")];
    await project(bob, /Harbour wall/).waitFor();
    await button(ann, /^Site:/).click();
    await button(ann, "Members of this site").click();
    await button(ann, "Remove Bob").click();
    await button(ann, "Remove").click();
    await bob.getByText("You no longer have access to this site.").waitFor();
    await field(ann, "Invite by name").fill("Bob");
    await button(ann, "Invite").click();
    await button(ann, "Remove Bob").waitFor();
    await button(bob, "Ask again").click();
    await project(bob, /Harbour wall/).waitFor();
    await button(bob, "New project").waitFor();
    await synced(bob);
  });

  test("what was deleted is brought back as it was, offline too, by the keyboard", async () => {
    const [ann, bob] = [await open("Ann"), await open("Bob")];
    await project(bob, /Harbour wall/).click();
    await item(bob, "Spalling below the coping").waitFor();
    await project(ann, /Harbour wall/).click();
    await offlineSwitch(ann).click();
    await pressOn(ann, button(ann, "Delete deviation Spalling below the coping"));
    await ann.getByText("Deleted “Spalling below the coping”.").waitFor();
    await item(ann, "Spalling below the coping").waitFor({ state: "detached" });
    // The focus is on the way back, and not lost with what was deleted.
    await ann.keyboard.press("Enter");
    await item(ann, "Spalling below the coping").getByText("Major").waitFor();
    await says(ann, "2 changes waiting");
    await offlineSwitch(ann).click();
    await synced(ann);
    await item(bob, "Spalling below the coping").getByText("Major").waitFor();
  });

  test("what is switched off offers to be switched on, and not to sync", async () => {
    const bob = await open("Bob");
    await offlineSwitch(bob).click();
    await says(bob, "Offline");
    await bar(bob).click();
    expect(await button(bob, "Sync now").count()).toBe(0);
    await button(bob, "Go online").click();
    await button(bob, "Sync now").waitFor();
    await bob.keyboard.press("Escape");
    await says(bob, "Up to date");
  });

  test("axe finds nothing serious, in the light and in the dark, on a desk and on a phone", async () => {
    async function check(page: Page, where: string): Promise<void> {
      // axe reads the page once for each width; of the dark only the colours are different.
      await page.evaluate(axeSource);
      for (const viewport of [
        { width: 1280, height: 800 },
        { width: 390, height: 844 },
      ]) {
        await page.setViewportSize(viewport);
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
          const only = colorScheme === "dark" ? `, runOnly: ["color-contrast"]` : "";
          const { violations } = await page.evaluate<AxeResults>(
            `axe.run(document, { resultTypes: ["violations"]${only} })`,
          );
          const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
          const found = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
          expect(found, `${where}, ${colorScheme}, ${viewport.width} px`).toEqual([]);
          // Lists scroll; the page itself has nothing beside or below the screen.
          const size = await page.evaluate(() => {
            const { scrollWidth, scrollHeight } = document.documentElement;
            return { width: scrollWidth, height: scrollHeight };
          });
          expect(size, `${where} scrolls beyond the screen`).toEqual(viewport);
        }
      }
      await page.setViewportSize({ width: 1280, height: 800 });
    }
    const [ann, bob] = [await open("Ann"), await open("Bob")];
    await check(ann, "the list");
    await project(ann, /Harbour wall/).click();
    await check(ann, "a project");
    await button(ann, /^Delete control point Expansion joint/).click();
    await check(ann, "what was deleted");
    await button(ann, "Undo").click();
    await button(ann, "Report deviation").click();
    await check(ann, "the dialog of a deviation");
    await ann.keyboard.press("Escape");
    await bar(ann).click();
    await check(ann, "the status");
    await ann.keyboard.press("Escape");

    await project(bob, /Harbour wall/).click();
    await offlineSwitch(bob).click();
    await rename(bob, "Mine");
    await check(bob, "a project with a change that waits");
    await rename(ann, "Theirs");
    await synced(ann);
    await offlineSwitch(bob).click();
    await inboxLink(bob).click();
    await button(bob, /^Write mine again/).waitFor();
    await check(bob, "the inbox");
    await button(bob, /^Account/).click();
    await check(bob, "the account");
    await button(bob, "Sign out").click();
    await heading(bob, "Fieldbook").waitFor();
    await check(bob, "the sign-in");
  });
});
