import { randomInt } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Client, createClient } from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";
import { verifyFile } from "@landfall/server/operations";
import type { BrowserContext, CDPSession, Page } from "playwright-core";
import { launchChromium, makeProfile } from "../support/chromium.js";
import { bundlePage } from "../support/pages.js";
import type { TabLine, WritingPage } from "./browser-page.js";
import { Child } from "./child.js";
import { type Front, openFront } from "./front.js";
import type { ServerArguments } from "./server-process.js";
import { makeTally, schema, space, written } from "./write-numbered.js";

declare const page: WritingPage;

/** What can befall a browser, and how often of a hundred times. */
const acts = {
  crashTab: 20,
  closeTab: 10,
  reloadTab: 15,
  freezeTab: 15,
  cutOff: 10,
  network: 25,
  killServer: 12,
  killBrowser: 8,
} as const;
type Act = keyof typeof acts;

/** What came of it. */
export interface BrowserReport {
  /** How often what happened. */
  readonly acts: Readonly<Record<string, number>>;
  readonly saved: number;
  readonly acknowledged: number;
  /** What was found wrong; nothing should be. */
  readonly problems: readonly string[];
}

/** How long all may take to agree when nothing goes wrong any more. */
const agreeMs = 60_000;

/** A tab, which may be gone by now. */
interface Tab {
  readonly page: Page;
  readonly session: CDPSession;
}

/** One browser with tabs that write, and all that they have said. */
class Browser {
  readonly lines: TabLine[] = [];
  tabs: Tab[] = [];
  #context: BrowserContext | undefined;
  #opened = 0;

  constructor(
    readonly writer: string,
    readonly front: Front,
    private readonly profile: string,
    private readonly width: number,
  ) {}

  async start(): Promise<void> {
    const context = await launchChromium(this.profile);
    this.#context = context;
    await context.exposeFunction("said", (line: TabLine) => void this.lines.push(line));
    while (this.tabs.length < this.width) await this.openTab();
  }

  async openTab(): Promise<void> {
    const context = this.#context as BrowserContext;
    const opened = await context.newPage();
    opened.on("pageerror", (error) => this.lines.push({ report: `thrown: ${error.stack ?? error.message}` }));
    this.#opened += 1;
    await opened.goto(`${this.front.url}?writer=${this.writer}&tab=${this.writer}.${this.#opened}`);
    await opened.waitForFunction(() => "page" in globalThis);
    this.tabs.push({ page: opened, session: await context.newCDPSession(opened) });
  }

  /** Another tab takes the place of one that is gone, or goes. */
  async replace(tab: Tab): Promise<void> {
    this.tabs = this.tabs.filter((other) => other !== tab);
    await tab.page.close();
    await this.openTab();
  }

  /** Ends all its processes without a warning, and starts it again on what they have left. */
  async kill(): Promise<void> {
    const [tab] = this.tabs;
    const gone = new Promise((resolve) => this.#context?.once("close", resolve));
    // The answer never comes.
    tab?.session.send("Browser.crash").catch(() => undefined);
    await gone;
    this.tabs = [];
    await this.start();
  }

  async close(): Promise<void> {
    await this.#context?.close();
    await this.front.close();
    await rm(this.profile, { recursive: true, force: true });
  }
}

/**
 * A world of real browsers on a real server, in which tabs crash, freeze and lose their storage, and the network, the
 * server and whole browsers go. Every event makes a note and counts it, so that what was done twice or by half shows.
 */
export class BrowserWorld {
  readonly #problems: string[] = [];
  readonly #acts: Record<string, number> = {};
  #browsers: readonly Browser[] = [];

  private constructor(
    private readonly folder: string,
    private readonly program: string,
    private server: Child<{ readonly port: number }>,
    private readonly port: number,
  ) {}

  /** @param program the bundled server @param folder an empty one, for its data */
  static async begin(options: {
    readonly folder: string;
    readonly program: string;
    readonly browsers: number;
    readonly tabs: number;
  }): Promise<BrowserWorld> {
    const { folder, program } = options;
    const server = serve(program, folder, 0);
    await server.until((lines) => lines.length > 0);
    const world = new BrowserWorld(folder, program, server, server.lines[0]?.port ?? 0);
    const writers = Array.from({ length: options.browsers }, (_, i) => `browser-${i}`);
    const owner = world.#reader();
    const site = await owner.space(space, { create: true }).open();
    await Promise.all(writers.map((writer) => makeTally(site, writer).settled));
    await owner.close();
    const script = await bundlePage(new URL("browser-page.ts", import.meta.url));
    world.#browsers = await Promise.all(
      writers.map(
        async (writer) =>
          new Browser(writer, await openFront(world.port, script), await makeProfile(), options.tabs),
      ),
    );
    await Promise.all(world.#browsers.map((browser) => browser.start()));
    return world;
  }

  /** Lets something befall a browser while all of them write. @returns what. */
  async befall(): Promise<Act> {
    await pause(randomInt(100, 600));
    const browser = this.#browsers[randomInt(this.#browsers.length)] as Browser;
    const tab = browser.tabs[randomInt(browser.tabs.length)] as Tab;
    const act = anyAct();
    this.#acts[act] = (this.#acts[act] ?? 0) + 1;
    await this.#do(act, browser, tab);
    return act;
  }

  async #do(act: Act, browser: Browser, tab: Tab): Promise<void> {
    switch (act) {
      case "crashTab": {
        const crashed = new Promise((resolve) => tab.page.once("crash", resolve));
        tab.session.send("Page.crash").catch(() => undefined);
        await crashed;
        return browser.replace(tab);
      }
      case "closeTab":
        return browser.replace(tab);
      case "reloadTab":
        await tab.page.reload();
        return void (await tab.page.waitForFunction(() => "page" in globalThis));
      case "freezeTab":
        await tab.session.send("Page.setWebLifecycleState", { state: "frozen" });
        await pause(randomInt(200, 4_000));
        return void (await tab.session.send("Page.setWebLifecycleState", { state: "active" }));
      case "cutOff":
        return void (await tab.page.evaluate(() => page.cutOff()));
      case "network":
        return browser.front.turn(browser.front.isOff ? "on" : "off");
      case "killServer":
        await this.server.kill();
        await this.#verify();
        await pause(randomInt(500));
        this.server = serve(this.program, this.folder, this.port);
        return this.server.until((lines) => lines.length > 0);
      case "killBrowser":
        return browser.kill();
    }
  }

  /** Ends the writing, and lets all agree. */
  async end(): Promise<BrowserReport> {
    const tabs = this.#browsers.flatMap((browser) => browser.tabs.map(({ page: tab }) => ({ browser, tab })));
    await Promise.all(tabs.map(({ tab }) => tab.evaluate(() => page.stop())));
    for (const { front } of this.#browsers) front.turn("on");
    // The first round brings every write to the server, the second brings it to the others.
    for (let round = 0; round < 2; round++)
      await Promise.all(
        tabs.map(({ tab }) =>
          within(
            agreeMs,
            tab.evaluate(() => page.sync()),
          ),
        ),
      );
    const reader = this.#reader();
    const site = await reader.space(space).open();
    await reader.sync();
    const whole = JSON.stringify(
      site.note.all().map(({ key, text, count, $ }) => [key, text, count, $.version, $.pending]),
    );
    for (const { browser, tab } of tabs) {
      const [view, pending, inbox] = await tab.evaluate(
        () => [page.view(), page.pending(), page.inbox()] as const,
      );
      if (view !== whole) this.#wrong(`a tab of ${browser.writer} ends with another view than a new reader`);
      if (pending !== 0) this.#wrong(`a tab of ${browser.writer} still has ${pending} events that wait`);
      if (inbox !== 0) this.#wrong(`a tab of ${browser.writer} has ${inbox} items in its inbox`);
    }
    let [notes, saved, acknowledged] = [0, 0, 0];
    for (const { writer, lines } of this.#browsers) {
      const { names, count } = written(site, writer);
      if (names.length !== count) this.#wrong(`${writer} has ${names.length} notes and counts ${count}`);
      notes += names.length;
      const there = new Set(names);
      for (const line of lines) {
        if (line.saved !== undefined) {
          saved += 1;
          if (!there.has(line.saved)) this.#wrong(`${writer} lost ${line.saved}, which it had saved`);
        }
        if (line.index !== undefined) {
          acknowledged += 1;
          const version = site.note.get(`${writer}.${line.settled}`)?.$.version;
          if (version !== line.index)
            this.#wrong(
              `${line.settled} was acknowledged at ${line.index} and is at ${version ?? "no index"}`,
            );
        }
        if (line.status === "rejected") this.#wrong(`${line.settled} was rejected`);
        if (line.torn !== undefined) this.#wrong(line.torn);
        if (line.report !== undefined) this.#wrong(`${writer}: ${line.report}`);
      }
    }
    const [summary] = await reader.spaces().list();
    if (summary?.head !== notes + this.#browsers.length)
      this.#wrong(`the head is ${summary?.head}, with ${notes} notes and the tallies`);
    await reader.close();
    await this.server.kill();
    await this.#verify();
    return { acts: this.#acts, saved, acknowledged, problems: this.#problems };
  }

  async close(): Promise<void> {
    await Promise.all(this.#browsers.map((browser) => browser.close()));
    await this.server.kill();
  }

  async #verify(): Promise<void> {
    const report = await verifyFile(join(this.folder, "server.db"));
    if (!report.ok) this.#wrong(`the file is damaged: ${JSON.stringify(report.findings)}`);
  }

  #wrong(problem: string): void {
    this.#problems.push(problem);
  }

  #reader(): Client<typeof schema> {
    return createClient({
      schema,
      url: `http://127.0.0.1:${this.port}`,
      credentials: () => "dev:ann",
      storage: memoryStorage(),
    });
  }
}

function anyAct(): Act {
  let place = randomInt(Object.values(acts).reduce((sum, weight) => sum + weight, 0));
  for (const [act, weight] of Object.entries(acts)) if ((place -= weight) < 0) return act as Act;
  return "closeTab";
}

function serve(program: string, folder: string, port: number): Child<{ readonly port: number }> {
  const told: ServerArguments = { file: join(folder, "server.db"), port, quiet: true };
  return new Child(program, [JSON.stringify(told)]);
}

/** @throws Error where it does not come about in time. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = pause(ms, undefined, { ref: false }).then(() => {
    throw new Error(`A tab did not come to agree with the server in ${ms} ms.`);
  });
  return Promise.race([work, late]);
}
