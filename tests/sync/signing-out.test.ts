import { memoryStorage } from "@landfall/client/storage/memory";
import { createHub, createLocks } from "@landfall/client/tabs/origin.fixture";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { memoryStorageWith, notebook } from "./storages.js";
import { type Device, type NoteSpace, type Place, openPlace } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

interface Tab {
  readonly device: Device;
  readonly site: NoteSpace;
  /** From here on it does not hear what the others tell. */
  deafen(): void;
}

/** Tabs of one browser, and what happens at the moment at which one of them destroys the storage. */
function openBrowser() {
  const late = { write: async (): Promise<void> => undefined };
  const storage = memoryStorageWith((handle) => ({
    async destroy(may) {
      await late.write();
      return handle.destroy(may);
    },
  }));
  const [locks, hub, notes] = [createLocks(), createHub(), notebook()];
  /** `form`: where it is there, `credentials` waits for it. */
  const who: { user: string | null; form?: Promise<string> } = { user: "ann" };
  return {
    who,
    late,
    notes,
    async open(): Promise<Tab> {
      let isDeaf = false;
      const device = place.device({
        storage,
        ports: {
          locks,
          notes,
          channel: (name, receive) => hub(name, (message) => isDeaf || receive(message)),
        },
        client: { credentials: () => who.form ?? (who.user && `dev:${who.user}`) },
      });
      return { device, site: await device.open(), deafen: () => void (isDeaf = true) };
    },
  };
}

describe("signing out inside of credentials", () => {
  /** A client whose credentials sign out, where they are asked for that reason, and wait for it. */
  function leaving(when: string) {
    const [storage, notes] = [memoryStorage(), notebook()];
    const state = { when: "", ended: "" };
    const device = (): Device =>
      place.device({
        storage,
        ports: { notes },
        client: {
          async credentials(reason) {
            if (reason !== state.when) return "dev:ann";
            state.when = "";
            await Promise.resolve();
            state.ended = await client.signOut().then(() => "signed out", String);
            return null;
          },
        },
      });
    const before = device();
    let { client } = before;
    const again = (): Device => {
      state.when = when;
      const next = device();
      ({ client } = next);
      return next;
    };
    return { state, before, again };
  }

  it("ends, and so does the signing in that asked", async () => {
    const { state, before: device } = leaving("renew");
    const site = await device.open();
    site.note.create({ text: "ann's" }, { key: "n1" });
    await device.client.sync();
    state.when = "renew";
    await expect(device.client.signIn()).rejects.toMatchObject({ code: "signed-out" });
    await expect.poll(() => state.ended).toBe("signed out");
    expect(site.note.all()).toEqual([]);
    expect(device.client.status.state).toBe("signed-out");
    await device.client.signIn();
    await device.client.sync();
    expect(site.note.all()).toHaveLength(1);
  });

  it("ends at the start, and forgets the account that was there", async () => {
    const { state, before, again } = leaving("start");
    const site = await before.open();
    site.note.create({ text: "ann's" }, { key: "n1" });
    await before.client.sync();
    await before.client.close();
    const device = again();
    await expect.poll(() => state.ended).toBe("signed out");
    expect(device.client.status.state).toBe("signed-out");
    device.offline();
    await device.client.signIn();
    expect((await device.open()).note.all()).toEqual([]);
  });
});

it("a signing in that signOut() interrupts says so, also where that is refused, and can be begun again", async () => {
  const asked: { form?: Promise<string>; times: number } = { times: 0 };
  const device = place.device({
    online: false,
    client: {
      credentials: () => {
        asked.times += 1;
        return asked.form ?? "dev:ann";
      },
    },
  });
  const site = await device.open();
  await site.note.create({ text: "ann's" }, { key: "n1" }).saved;
  asked.form = new Promise(() => undefined);
  const before = asked.times;
  const signingIn = device.client.signIn();
  signingIn.catch(() => undefined);
  await expect.poll(() => asked.times).toBeGreaterThan(before);
  await expect(device.client.signOut()).rejects.toMatchObject({ code: "unsynced" });
  await expect(signingIn).rejects.toThrow("signOut() was called while credentials() was under way.");
  delete asked.form;
  device.online();
  await device.client.signIn();
  await device.client.sync();
  expect(site.note.get("n1")?.$.pending).toBe(false);
});

describe("signing out with several tabs", () => {
  it("rule 8: is refused where another tab saves a write at the last moment, and all go on", async () => {
    const { open, late } = openBrowser();
    const [leaving, other] = [await open(), await open()];
    await leaving.device.client.sync();
    const receipts: { settled: Promise<unknown> }[] = [];
    late.write = async () => {
      const receipt = other.site.note.create({ text: "late" }, { key: "n1" });
      receipts.push(receipt);
      leaving.device.offline();
      await receipt.saved;
    };
    await expect(leaving.device.client.signOut()).rejects.toMatchObject({ code: "unsynced" });
    late.write = async () => undefined;
    await leaving.site.note.create({ text: "goes on" }, { key: "n2" }).saved;
    leaving.device.online();
    await other.device.client.sync();
    expect(await receipts[0]?.settled).toMatchObject({ status: "applied" });
    expect(other.site.note.all().map(({ text }) => text)).toEqual(["late", "goes on"]);
    expect([...leaving.device.reports, ...other.device.reports]).toEqual([]);
    expect(await leaving.device.client.signOut()).toEqual([]);
  });

  it("rule 8: gives back also what another tab saves at the last moment", async () => {
    const { open, late } = openBrowser();
    const [leaving, other] = [await open(), await open()];
    await leaving.device.client.sync();
    leaving.device.offline();
    let id = "";
    late.write = async () => {
      const receipt = other.site.note.create({ text: "late" });
      ({ id } = receipt);
      await receipt.saved;
    };
    const given = await leaving.device.client.signOut({ unsynced: "export" });
    expect(given.map(({ event }) => event.id)).toEqual([id]);
  });

  it("rule 8: no other tab takes a write from then on, whether it has heard or not", async () => {
    const { open, notes } = openBrowser();
    const [leaving, other, deaf] = [await open(), await open(), await open()];
    await leaving.device.client.sync();
    deaf.deafen();
    await leaving.device.client.signOut();
    expect(() => other.site.note.create({ text: "too late" })).toThrow("signed out");
    await expect(other.device.client.sync()).rejects.toMatchObject({ code: "stopped" });
    await expect(deaf.site.note.create({ text: "too late" }).saved).rejects.toMatchObject({ code: "lost" });
    expect([...other.device.reports, ...deaf.device.reports]).toEqual(["storage"]);
    await other.device.client.signOut();
    expect(notes.read("landfall:landfall.account.ann")).toBe(null);
  });

  it("rule 8: no other tab shows anything of the account from then on", async () => {
    const { open } = openBrowser();
    const [leaving, other] = [await open(), await open()];
    leaving.site.note.create({ text: "ann's" });
    await leaving.device.client.sync();
    expect(other.site.note.all()).toHaveLength(1);
    await leaving.device.client.signOut();
    await expect.poll(() => other.site.note.all(), { timeout: 5_000 }).toEqual([]);
    expect(other.device.client.status).toMatchObject({ state: "signed-out", pending: { count: 0 } });
    await other.device.client.signIn();
    await other.device.client.sync();
    expect(other.site.note.all()).toHaveLength(1);
  });

  it("rule 8: no other tab shows anything of the account from then on, also one that waits for a login form", async () => {
    const { open, who } = openBrowser();
    const [leaving, other] = [await open(), await open()];
    leaving.site.note.create({ text: "ann's" });
    await leaving.device.client.sync();
    who.form = new Promise(() => undefined);
    const signingIn = other.device.client.signIn();
    signingIn.catch(() => undefined);
    await leaving.device.client.signOut();
    await expect.poll(() => other.site.note.all(), { timeout: 5_000 }).toEqual([]);
    expect(other.device.client.status.state).toBe("signed-out");
    await expect(signingIn).rejects.toMatchObject({ code: "signed-out" });
    delete who.form;
    await other.device.client.signIn();
    await other.device.client.sync();
    expect(other.site.note.all()).toHaveLength(1);
  });

  it("rule 8: a tab that was left behind does not keep one from syncing that signs in again, and can sign in too", async () => {
    const { open } = openBrowser();
    // The first of them leads.
    const [behind, leaving] = [await open(), await open()];
    await behind.device.client.sync();
    await leaving.device.client.signOut();
    const again = await open();
    again.site.note.create({ text: "again" }, { key: "n1" });
    await again.device.client.sync();
    await behind.device.client.signIn();
    await behind.device.client.sync();
    expect(behind.site.note.get("n1")?.text).toBe("again");
    behind.site.note.update("n1", { text: "by the one behind" });
    await behind.device.client.sync();
    await again.device.client.sync();
    expect(again.site.note.get("n1")?.text).toBe("by the one behind");
  });

  it("rule 8: what another tab writes as a guest while this one signs in is adopted too", async () => {
    const { open, late, who } = openBrowser();
    who.user = null;
    const [tab, other] = [await open(), await open()];
    await tab.site.note.create({ text: "first" }, { key: "n1" }).saved;
    who.user = "ann";
    late.write = async () => {
      late.write = async () => undefined;
      await other.site.note.create({ text: "late" }, { key: "n2" }).saved;
    };
    await tab.device.client.signIn();
    await tab.device.client.sync();
    expect(tab.site.note.all().map(({ text }) => text)).toEqual(["first", "late"]);
    await other.device.client.signIn();
    expect(other.site.note.get("n2")?.text).toBe("late");
  });

  it("rule 8: when a guest signs in, the other tabs go on as who signed in", async () => {
    const { open, who } = openBrowser();
    who.user = null;
    const [tab, other] = [await open(), await open()];
    await tab.site.note.create({ text: "first" }, { key: "n1" }).saved;
    who.user = "ann";
    await tab.device.client.signIn();
    await expect.poll(() => other.device.client.status.state, { timeout: 5_000 }).toBe("live");
    const receipt = other.site.note.create({ text: "second" }, { key: "n2" });
    await receipt.saved;
    expect(await receipt.settled).toMatchObject({ status: "applied" });
    expect(tab.site.note.all().map(({ text }) => text)).toEqual(["first", "second"]);
    expect([...tab.device.reports, ...other.device.reports]).toEqual([]);
  });

  it("rule 8: a guest's tab that has nobody to go on as says so, and takes no write", async () => {
    const { open, late, who } = openBrowser();
    who.user = null;
    const [tab, other] = [await open(), await open()];
    await tab.site.note.create({ text: "first" }, { key: "n1" }).saved;
    who.user = "ann";
    // The app keeps the token in the tab that signs in.
    late.write = async () => void (who.user = null);
    await tab.device.client.signIn();
    await expect.poll(() => other.site.note.all(), { timeout: 5_000 }).toEqual([]);
    expect(other.device.client.status.state).toBe("signed-out");
    expect(() => other.site.note.create({ text: "whose?" })).toThrow("signed out");
    who.user = "ann";
    await other.device.client.signIn();
    await other.device.client.sync();
    expect(other.site.note.get("n1")?.text).toBe("first");
  });

  it("rule 8: what a tab wrote that had not heard of the signing in reaches the server by the tab that leads", async () => {
    const { open, who } = openBrowser();
    who.user = null;
    const [tab, deaf] = [await open(), await open()];
    deaf.deafen();
    who.user = "ann";
    await tab.device.client.signIn();
    const receipt = deaf.site.note.create({ text: "late" }, { key: "n1" });
    await expect(receipt.saved).rejects.toMatchObject({ code: "lost" });
    await deaf.device.client.signIn();
    await expect.poll(() => tab.site.note.get("n1")?.text, { timeout: 5_000 }).toBe("late");
    await tab.device.client.sync();
    expect(tab.site.note.get("n1")?.$.pending).toBe(false);
  });
});
