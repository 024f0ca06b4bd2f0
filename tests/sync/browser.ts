import { createHub, createLocks } from "@landfall/client/tabs/origin.fixture";
import { memoryStorage } from "@landfall/client/storage/memory";
import { storageTables } from "@landfall/client/storage/port";
import { type VirtualTime, createVirtualTime } from "@landfall/client/testing";
import { expect } from "vitest";
import {
  type Device,
  type DeviceOptions,
  type NoteSpace,
  type Place,
  probe,
  probed,
  space,
} from "./world.js";

/** A tab of a browser. */
export interface Tab {
  readonly device: Device;
  readonly time: VirtualTime;
  readonly site: NoteSpace;
  isFrozen: boolean;
  /** Its time stands still, it hears nothing, and what it has sent or asked for stops on the way. */
  freeze(where?: "before" | "after"): void;
  /** It hears all at once what it has missed. */
  thaw(): void;
  /** Until it hears again, what others tell gets lost. */
  deafen(): void;
  hear(): void;
  /** What it heard last reaches it a second time. */
  hearAgain(): void;
  /** All that others told while it was there, whether it heard it or not. */
  readonly told: readonly unknown[];
  /** Something reaches it that another tab told. */
  tell(message: unknown): void;
}

/** What the tabs of one browser share. */
export function openBrowser(place: Place, storage = memoryStorage()) {
  const locks = createLocks();
  const hub = createHub();
  const tabs = new Set<Tab>();
  let seed = 0;
  return {
    tabs,
    async open(id = space, client: DeviceOptions["client"] = {}): Promise<Tab> {
      const time = createVirtualTime({ seed: ++seed });
      const missed: (() => void)[] = [];
      let isFrozen = false;
      let isDeaf = false;
      let last = (): void => undefined;
      let tell: (message: unknown) => void = () => undefined;
      const told: unknown[] = [];
      const device = place.device({
        storage,
        client,
        ports: {
          ...time,
          locks,
          channel: (name, receive) => {
            tell = receive;
            return hub(name, (message) => {
              told.push(message);
              if (isFrozen) missed.push(() => receive(message));
              else if (!isDeaf) (last = () => receive(message))();
            });
          },
        },
      });
      const tab: Tab = {
        device,
        time,
        site: await device.open(id),
        get isFrozen() {
          return isFrozen;
        },
        freeze(where = "after") {
          isFrozen = true;
          device.freeze(where);
        },
        thaw() {
          isFrozen = false;
          for (const hear of missed.splice(0)) hear();
          device.thaw();
        },
        deafen: () => void (isDeaf = true),
        hear: () => void (isDeaf = false),
        hearAgain: () => last(),
        told,
        tell: (message) => tell(message),
      };
      tabs.add(tab);
      return tab;
    },
    async close(tab: Tab): Promise<void> {
      tabs.delete(tab);
      await tab.device.client.close();
    },
    /** Lets time pass for every tab that is not frozen until that holds. */
    async until(holds: () => boolean): Promise<void> {
      for (let i = 0; i < 2_000; i++) {
        if (holds()) return;
        for (const tab of tabs) if (!tab.isFrozen) await tab.time.advance(100);
      }
      expect(holds()).toBe(true);
    },
    /** Everything that is stored, as text. */
    async stored(): Promise<string> {
      const handle = await storage.open("landfall.account.ann");
      const spaces = await handle.spaces();
      const all = spaces.flatMap((each) => storageTables.map((table) => handle.entries(table, each)));
      return JSON.stringify(await Promise.all(all));
    },
  };
}

export const isSettled = ({ device }: Tab): boolean => device.client.status.pending.count === 0;
/** Writes in a tab, and syncs. */
export async function land(tab: Tab, name: string): Promise<void> {
  probe(tab.site, name);
  await tab.device.client.sync();
}
export const names = (tab: Tab): string => probed(tab.site).names.join();
