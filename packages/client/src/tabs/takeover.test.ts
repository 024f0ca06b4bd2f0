import { defineSchema, records } from "@landfall/schema";
import { expect, test } from "vitest";
import { z } from "zod";
import { type Client, createClient } from "../client.js";
import { platformPorts } from "../platform.js";
import type { ChannelPort, ClientPorts } from "../ports.js";
import { type Remote, RemoteError } from "../remote/port.js";
import { memoryStorage } from "../storage/memory.js";
import { type VirtualTime, createVirtualTime } from "../testing-time.js";
import { createHub, createLocks } from "./origin.fixture.js";

const schema = defineSchema({
  version: 1,
  domains: { note: records({ fields: z.object({ text: z.string() }) }) },
});

interface Tab {
  readonly client: Client<typeof schema>;
  readonly time: VirtualTime;
  /** The tries to reach the server, which only a leader makes. */
  tries: number;
  /** A frozen page hears nothing; its time is not moved. */
  frozen: boolean;
}

function openTab(
  origin: {
    readonly storage: ReturnType<typeof memoryStorage>;
    readonly locks: ClientPorts["locks"];
    readonly channel: NonNullable<ClientPorts["channel"]>;
  },
  seed: number,
): Tab {
  const time = createVirtualTime({ seed });
  const tab = { time, tries: 0, frozen: false } as { -readonly [K in keyof Tab]: Tab[K] };
  const unreachable = (): never => {
    throw new RemoteError({ code: "network", message: "The server cannot be reached." });
  };
  const remote: Remote = {
    async exchange() {
      tab.tries += 1;
      return unreachable();
    },
    info: async () => unreachable(),
    reconcile: async () => unreachable(),
    call: async () => unreachable(),
  };
  const channel = (name: string, receive: (message: unknown) => void): ChannelPort =>
    origin.channel(name, (message) => void (tab.frozen || receive(message)));
  const ports: ClientPorts = {
    ...platformPorts(),
    ...time,
    locks: origin.locks,
    channel,
    notes: undefined,
    online: { isOnline: () => true, subscribe: () => () => undefined },
  };
  tab.client = createClient({
    schema,
    url: "http://landfall.test",
    account: "ann",
    credentials: () => "dev:ann",
    storage: origin.storage,
    remote,
    ports,
  });
  return tab;
}

test("a tab whose leader is frozen takes the lead when it has something to send; a leader that lives keeps it", async () => {
  const origin = { storage: memoryStorage(), locks: createLocks(), channel: createHub() };
  const first = openTab(origin, 1);
  const [site] = await Promise.all([first.client.space("site-7").open(), first.time.advance(100)]);
  expect(site).toBeDefined();
  const second = openTab(origin, 2);
  const [followed] = await Promise.all([second.client.space("site-7").open(), second.time.advance(100)]);
  await first.time.advance(1_000);
  expect([first.tries > 0, second.tries]).toEqual([true, 0]);

  followed.note.create({ text: "The leader is well." });
  await second.time.advance(60_000);
  expect(second.tries).toBe(0);

  first.frozen = true;
  followed.note.create({ text: "The leader is frozen." });
  await second.time.advance(9_000);
  expect(second.tries).toBe(0);
  await second.time.advance(2_000);
  expect(second.tries).toBeGreaterThan(0);

  const before = first.tries;
  first.frozen = false;
  await first.time.advance(600_000);
  expect(first.tries).toBe(before);
  await Promise.all([first.client.close(), second.client.close()]);
});

test("without locks the latest tab leads; the one before is fenced out at its next write, and leads again when nobody else does", async () => {
  const origin = { storage: memoryStorage(), locks: undefined, channel: createHub() };
  const first = openTab(origin, 1);
  const [site] = await Promise.all([first.client.space("site-7").open(), first.time.advance(100)]);
  const second = openTab(origin, 2);
  await Promise.all([second.client.space("site-7").open(), second.time.advance(100)]);

  site.note.create({ text: "Who sends this?" });
  await first.time.advance(60_000);
  const before = first.tries;
  await second.time.advance(60_000);
  await first.time.advance(600_000);
  expect(first.tries).toBe(before);
  expect(second.tries).toBeGreaterThan(0);

  await second.client.close();
  site.note.create({ text: "And this?" });
  await first.time.advance(15_000);
  expect(first.tries).toBeGreaterThan(before);
  await first.client.close();
});

test("rule 9: a sync that no leader can begin, because the storage was deleted by a tab that was not heard, is refused and does not hang", async () => {
  const origin = { storage: memoryStorage(), locks: createLocks(), channel: createHub() };
  const first = openTab(origin, 1);
  await Promise.all([first.client.space("site-7").open(), first.time.advance(100)]);
  const second = openTab({ ...origin, channel: createHub() }, 2);
  await Promise.all([second.client.space("site-7").open(), second.time.advance(100)]);
  await first.client.signOut();
  const refused = second.client.sync().then(
    () => "synced",
    (error: { readonly code: string }) => error.code,
  );
  await second.time.advance(20_000);
  expect(await refused).toBe("storage");
  await second.client.close();
});
