import { describe, expect, test } from "vitest";
import type { LockPort } from "../ports.js";
import { type VirtualTime, createVirtualTime } from "../testing-time.js";
import { type TabMessage, openTabChannel } from "./channel.js";
import { type Leadership, seekLead } from "./leader.js";
import { watchLeader } from "./leader-watch.js";
import { createHub, createLocks } from "./origin.fixture.js";

interface Tab {
  readonly log: string[];
  readonly lead: Leadership;
  failing: boolean;
}

function openTab(time: VirtualTime, locks: LockPort | undefined, beginMs = 10): Tab {
  const pause = (ms: number): Promise<void> => new Promise((resolve) => void time.timers.after(ms, resolve));
  const log: string[] = [];
  const tab: { -readonly [K in keyof Tab]?: Tab[K] } = { log, failing: false };
  tab.lead = seekLead(
    { locks, timers: time.timers },
    {
      name: "ann",
      async onLead() {
        log.push("begin");
        await pause(beginMs);
        if (tab.failing) throw new Error("The storage is gone.");
        log.push("lead");
      },
      async onLost(reason) {
        await pause(beginMs);
        log.push(reason);
      },
    },
  );
  return tab as Tab;
}

const leaders = (...tabs: readonly Tab[]): string =>
  tabs.map(({ lead }) => (lead.leading ? "x" : "-")).join("");

describe("one leader among tabs", () => {
  test("the first leads, the next when it closes, and never two", async () => {
    const time = createVirtualTime();
    const locks = createLocks();
    const tabs = [openTab(time, locks), openTab(time, locks), openTab(time, locks)] as const;
    await time.advance(20);
    expect(leaders(...tabs)).toBe("x--");
    const closing = tabs[0].lead.close();
    await time.advance(5);
    expect([leaders(...tabs), tabs[1].log]).toEqual(["---", []]);
    await time.advance(20);
    await closing;
    expect([leaders(...tabs), tabs[0].log]).toEqual(["-x-", ["begin", "lead", "closed"]]);
    await tabs[2].lead.close();
    expect(tabs[2].log).toEqual([]);
  });

  test("a frozen leader is robbed, notices when it wakes, and queues up again", async () => {
    const time = createVirtualTime();
    const locks = createLocks();
    const [frozen, fresh] = [openTab(time, locks), openTab(time, locks)];
    await time.advance(20);
    fresh.lead.takeOver();
    await time.advance(30);
    expect([leaders(frozen, fresh), frozen.log, fresh.log]).toEqual([
      "-x",
      ["begin", "lead", "stolen"],
      ["begin", "lead"],
    ]);
    // One wait each, the robbery, and the robbed one's new wait: the wait that the robbery ended is not begun again.
    expect(locks.asked).toBe(4);
    void fresh.lead.close();
    await time.advance(30);
    expect([leaders(frozen, fresh), frozen.log.slice(3)]).toEqual(["x-", ["begin", "lead"]]);
  });

  test("robbed while it only begins to lead, it never says that it leads", async () => {
    const time = createVirtualTime();
    const locks = createLocks();
    const slow = openTab(time, locks, 1_000);
    const fresh = openTab(time, locks);
    await time.advance(20);
    fresh.lead.takeOver();
    await time.advance(500);
    expect(leaders(slow, fresh)).toBe("-x");
    await time.advance(3_000);
    expect([leaders(slow, fresh), slow.log]).toEqual(["-x", ["begin", "lead", "stolen"]]);
  });

  test("a tab that cannot begin leaves the lead to others, and tries again", async () => {
    const time = createVirtualTime();
    const locks = createLocks();
    const [broken, well] = [openTab(time, locks), openTab(time, locks)];
    broken.failing = true;
    await time.advance(50);
    expect([leaders(broken, well), broken.log]).toEqual(["-x", ["begin", "closed"]]);
    broken.failing = false;
    await time.advance(6_000);
    void well.lead.close();
    await time.advance(50);
    expect(leaders(broken, well)).toBe("x-");
  });

  test("without locks the latest leads, and the one that is fenced out follows until the leader is gone", async () => {
    const time = createVirtualTime();
    const first = openTab(time, undefined);
    await time.advance(20);
    const second = openTab(time, undefined);
    await time.advance(20);
    first.lead.fenced();
    await time.advance(20_000);
    expect([leaders(first, second), first.log]).toEqual(["-x", ["begin", "lead", "stolen"]]);
    await Promise.all([second.lead.close(), time.advance(20)]);
    first.lead.takeOver();
    await time.advance(20);
    expect(leaders(first, second)).toBe("x-");
  });

  test("a closed tab does not come back", async () => {
    const time = createVirtualTime();
    const locks = createLocks();
    const tab = openTab(time, locks);
    const closing = tab.lead.close();
    await time.advance(60_000);
    await closing;
    tab.lead.takeOver();
    await time.advance(60_000);
    expect(tab.log.filter((entry) => entry === "begin").length).toBeLessThanOrEqual(1);
    expect(tab.lead.leading).toBe(false);
  });
});

describe("the watch on a leader", () => {
  test("takes over only when two questions got no answer", async () => {
    const time = createVirtualTime();
    const log: string[] = [];
    const watch = watchLeader(
      time.timers,
      () => log.push("ask"),
      () => log.push("take"),
    );
    watch.expect();
    watch.expect();
    await time.advance(4_000);
    watch.heard();
    await time.advance(60_000);
    expect(log).toEqual(["ask"]);
    watch.expect();
    await time.advance(6_000);
    expect(log).toEqual(["ask", "ask", "ask"]);
    await time.advance(5_000);
    expect(log).toEqual(["ask", "ask", "ask", "take"]);
    await time.advance(60_000);
    expect(log.length).toBe(4);
    watch.expect();
    expect(log.length).toBe(5);
  });

  test("an answer that comes while the question is put counts", async () => {
    const time = createVirtualTime();
    let taken = 0;
    const watch = watchLeader(
      time.timers,
      () => watch.heard(),
      () => (taken += 1),
    );
    watch.expect();
    await time.advance(60_000);
    expect(taken).toBe(0);
  });
});

describe("the channel between tabs", () => {
  test("messages reach the others of the same account, not the sender", () => {
    const channel = createHub();
    const heard: [TabMessage[], TabMessage[], TabMessage[]] = [[], [], []];
    const [sender] = ["ann", "ann", "bob"].map((name, at) =>
      openTabChannel({ channel }, name, (message) => heard[at]?.push(message)),
    );
    const message: TabMessage = { type: "write", space: "site-7", payload: { events: [1] } };
    sender?.post(message);
    expect(heard).toEqual([[], [message], []]);
    sender?.close();
  });

  test("whatever else writes to the channel is passed over", () => {
    const hub = createHub();
    let name = "";
    const heard: TabMessage[] = [];
    openTabChannel({ channel: (asked, receive) => hub((name = asked), receive) }, "ann", (message) =>
      heard.push(message),
    );
    const stranger = hub(name, () => undefined);
    for (const message of [
      null,
      1,
      "hello",
      {},
      { type: "explode" },
      { type: "write" },
      { type: "cut", space: 9 },
      { type: "wake" },
      { type: "synced", id: 4 },
    ])
      stranger.post(message);
    expect(heard).toEqual([]);
    stranger.post({ type: "hello" });
    expect(heard).toEqual([{ type: "hello" }]);
  });

  test("without channels nobody is reached, and nothing breaks", () => {
    const channel = openTabChannel({}, "ann", () => undefined);
    channel.post({ type: "hello" });
    channel.close();
  });
});
