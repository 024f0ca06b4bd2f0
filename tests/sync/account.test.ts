import { StorageError } from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fullStorage, memoryStorageWith, notebook } from "./storages.js";
import { app, siteOf } from "./versions.js";
import { type Device, type NoteSpace, type Place, bytesOf, openPlace, settle } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

/** A phone that people sign in to and out of; its data outlives the app. */
function phone(user: string | null) {
  const storage = memoryStorage();
  const notes = notebook();
  const who = { user };
  const start = (client: Parameters<Place["device"]>[0] = {}): Device =>
    place.device({
      storage,
      ports: { notes },
      client: { credentials: () => who.user && `dev:${who.user}`, ...client.client },
    });
  return { who, start, storage };
}

describe("data made before signing in", () => {
  /** An account that has a record, and a guest who wrote one of the same key and one of another. */
  async function guest(firstSync: "merge" | "server" | "local") {
    const other = place.device();
    const theirs = await other.open();
    theirs.note.put("n1", { text: "the account's" });
    await other.client.sync();
    const { who, start, storage } = phone(null);
    const device = start({ client: { firstSync } });
    const site = await device.open();
    site.note.put("n1", { text: "the guest's" });
    const own = site.note.create({ text: "new" }, { key: "n2" });
    site.note.increment("n2", { votes: 1 });
    await own.saved;
    expect(device.client.status).toMatchObject({ state: "signed-out", pending: { count: 3 } });
    place.time.pass(1_000);
    theirs.note.update("n1", { text: "the account's, later" });
    await other.client.sync();
    // What is to win is written again on signing in, and that is to be later in its turn.
    place.time.pass(1_000);
    who.user = "ann";
    await device.client.signIn();
    await settle(device, other);
    return { device, site, other, theirs, storage };
  }

  it("rules 3 and 8: is merged, older writes losing to newer ones", async () => {
    const { device, site, theirs } = await guest("merge");
    expect(site.note.get("n1")?.text).toBe("the account's, later");
    expect(site.note.get("n2")).toMatchObject({ text: "new", votes: 1 });
    expect(site.inbox.current).toMatchObject([{ kind: "superseded", key: "n1", tried: "the guest's" }]);
    expect(bytesOf(site)).toBe(bytesOf(theirs));
    expect(device.client.status.pending.count).toBe(0);
  });

  it("rules 3 and 8: wins over the account's where it is said to", async () => {
    const { device, site, theirs } = await guest("local");
    expect(site.note.get("n1")?.text).toBe("the guest's");
    expect(site.note.get("n2")).toMatchObject({ text: "new", votes: 1 });
    expect(site.inbox.current).toEqual([]);
    expect(bytesOf(site)).toBe(bytesOf(theirs));
    expect(device.client.status.pending.count).toBe(0);
  });

  it("rule 8: is kept in the inbox where the account's is to stand", async () => {
    const { device, site, theirs } = await guest("server");
    expect(site.note.all()).toMatchObject([{ key: "n1", text: "the account's, later" }]);
    expect(site.inbox.current.map(({ kind, key }) => `${kind} ${key}`)).toEqual([
      "parked n1",
      "parked n2",
      "parked n2",
    ]);
    expect(bytesOf(site)).toBe(bytesOf(theirs));
    expect(device.client.status.pending.count).toBe(0);
  });

  it.each(["merge", "server", "local"] as const)(
    "rules 3 and 8: with %s is adopted once, although the app ends between taking it over and letting go of it",
    async (firstSync) => {
      const { who, start, storage } = phone(null);
      let device = start();
      let site = await device.open();
      site.note.create({ text: "new" }, { key: "n1" });
      site.note.increment("n1", { votes: 1 });
      // Waits for the version that an own event makes.
      site.note.delete("n1");
      site.note.restore("n1", { text: "again" });
      await site.note.increment("n1", { votes: 1 }).saved;
      await device.client.close();
      who.user = "ann";
      const cutShort = () => Promise.reject(new StorageError("failed", "The app ended."));
      const open = async (name: string) => ({ ...(await storage.open(name)), destroy: cutShort });
      device = place.device({ storage: { ...storage, open }, client: { firstSync } });
      await expect(device.open()).rejects.toThrow("The app ended.");
      device = start({ client: { firstSync } });
      site = await device.open();
      await device.client.sync();
      const isKept = firstSync === "server";
      expect(site.note.all()).toMatchObject(isKept ? [] : [{ key: "n1", text: "again", votes: 1 }]);
      expect(site.inbox.current.map(({ kind, key }) => `${kind} ${key}`)).toEqual(
        isKept ? Array.from({ length: 5 }, () => "parked n1") : [],
      );
      const before = [bytesOf(site), site.inbox.current.length];
      await device.client.close();
      device = start({ client: { firstSync } });
      site = await device.open();
      await device.client.sync();
      expect([bytesOf(site), site.inbox.current.length]).toEqual(before);
    },
  );
});

describe("a guest's storage", () => {
  it("rule 8: that was adopted is not taken for lost, then or at the next start", async () => {
    const storage = memoryStorageWith(() => ({ persistent: true }));
    const notes = notebook();
    const who: { user: string | null } = { user: null };
    const start = (): Device =>
      place.device({
        storage,
        ports: { notes },
        client: { credentials: () => who.user && `dev:${who.user}` },
      });
    const device = start();
    const site = await device.open();
    await site.note.create({ text: "the guest's" }, { key: "n1" }).saved;
    // What is unsynced is noted once a moment has gone by.
    await expect
      .poll(() => notes.read("landfall:landfall.guest"), { timeout: 5_000 })
      .toContain('"pending":1');
    who.user = "ann";
    await device.client.signIn();
    await device.client.sync();
    await device.client.close();
    const next = start();
    expect((await next.open()).note.get("n1")?.text).toBe("the guest's");
    expect([...device.reports, ...next.reports]).toEqual([]);
  });
});

describe("whose data is shown", () => {
  it("§8: is said by the status, whatever token the app has by now", async () => {
    const { who, start } = phone(null);
    const device = start();
    await device.open();
    const shown = (): string | null => device.client.status.account;
    expect(shown()).toBeNull();
    who.user = "ann";
    expect(shown()).toBeNull();
    await device.client.signIn();
    expect(shown()).toBe("ann");
    who.user = "bob";
    await settle(device);
    expect(shown()).toBe("ann");
    await device.client.signIn();
    expect(shown()).toBe("bob");
    await device.client.close();
    // Nobody is signed in, and what the account left here is open all the same.
    who.user = null;
    const again = start();
    await again.open();
    expect(again.client.status.account).toBe("bob");
    await again.client.signOut();
    expect(again.client.status.account).toBeNull();
  });
});

describe("two accounts on one device", () => {
  it("rules 1 and 8: neither sees the other's data, and each finds its own again", async () => {
    const { who, start } = phone("ann");
    const device = start();
    let site: NoteSpace = await device.open("of-ann");
    site.note.create({ text: "ann's" }, { key: "n1" });
    await device.client.sync();
    device.offline();
    await site.note.update("n1", { body: "unsynced" }).saved;
    who.user = "bob";
    await device.client.signIn();
    expect(site.note.all()).toEqual([]);
    expect(site.inbox.current).toEqual([]);
    device.online();
    const bobs = await device.open("of-bob");
    bobs.note.create({ text: "bob's" }, { key: "n1" });
    await expect(device.client.sync()).rejects.toThrow("no such space");
    await device.client.close();

    const next = start();
    site = await next.open("of-bob");
    expect(site.note.get("n1")?.text).toBe("bob's");
    await next.client.close();
    who.user = "ann";
    const back = start();
    site = await back.open("of-ann");
    expect(site.note.get("n1")).toMatchObject({ text: "ann's", body: "unsynced" });
    await back.client.sync();
    expect(site.note.get("n1")).toMatchObject({ body: "unsynced", $: { pending: false } });
    const other = place.device();
    const read = await other.open("of-ann");
    await other.client.sync();
    expect(bytesOf(read)).toBe(bytesOf(site));
    expect(place.clashes).toEqual([]);
  });
});

/** A storage whose writes wait for `open`. */
function slowStorage() {
  const gate = { isOpen: Promise.resolve(), open: () => {} };
  const storage = memoryStorageWith((handle) => ({
    commit: (changes, fence) => gate.isOpen.then(() => handle.commit(changes, fence)),
  }));
  const shut = (): void => void (gate.isOpen = new Promise((open) => (gate.open = open)));
  return { storage, shut, open: () => gate.open() };
}

describe("a write on its way to the storage", () => {
  it("rules 1 and 8: stays with the account that it was written under", async () => {
    const { storage, shut, open } = slowStorage();
    const who = { user: "ann" };
    const device = place.device({ storage, client: { credentials: () => `dev:${who.user}` } });
    const site = await device.open("of-both");
    await device.client.sync();
    await device.client.spaces().invite("of-both", "bob", "writer");
    device.offline();
    shut();
    const receipt = site.note.create({ text: "ann's" }, { key: "n1" });
    who.user = "bob";
    const signedIn = device.client.signIn();
    open();
    await signedIn;
    await receipt.saved;
    device.online();
    await device.client.sync();
    expect(site.note.all()).toEqual([]);
    who.user = "ann";
    await device.client.signIn();
    expect(site.note.get("n1")).toMatchObject({ text: "ann's", $: { pending: true } });
    await device.client.sync();
    expect(site.note.get("n1")).toMatchObject({ $: { pending: false } });
  });
});

describe("a change of account", () => {
  it("§8: leaves a space open that is not theirs, which a sync names once all others are in step", async () => {
    const who = { user: "ann" };
    const device = place.device({ client: { credentials: () => `dev:${who.user}` } });
    const anns = await device.open("of-ann");
    await device.client.sync();
    who.user = "ben";
    await device.client.signIn();
    const bens = await device.open("of-ben");
    const { settled } = bens.note.create({ text: "ben's" });
    await anns.note.create({ text: "waits" }).saved;
    await expect(device.client.sync()).rejects.toThrow("of-ann: There is no such space, or you are not");
    expect(await settled).toMatchObject({ status: "applied" });
    const { spaces } = device.client.status;
    expect(spaces["of-ben"]).toMatchObject({ state: "live", pending: 0 });
    expect(spaces["of-ann"]).toMatchObject({ state: "catching-up", pending: 1 });
  });

  it("rule 8: data of a user whose id is guest is nobody else's to adopt", async () => {
    const who = { user: "guest" };
    const device = place.device({ client: { credentials: () => `dev:${who.user}` } });
    const site = await device.open();
    await device.client.sync();
    await device.client.spaces().invite(site.id, "bob", "writer");
    device.offline();
    await site.note.create({ text: "the guest's own" }, { key: "n1" }).saved;
    who.user = "bob";
    await device.client.signIn();
    expect(site.note.all()).toEqual([]);
    who.user = "guest";
    await device.client.signIn();
    expect(site.note.get("n1")?.text).toBe("the guest's own");
  });

  it("rules 1 and 8: a write that the storage refused is not sent as another account's, and its loss is told", async () => {
    const { storage, disk } = fullStorage();
    const who = { user: "ann" };
    const device = place.device({ storage, client: { credentials: () => `dev:${who.user}` } });
    const site = await device.open();
    await device.client.sync();
    await device.client.spaces().invite(site.id, "bob", "writer");
    device.offline();
    disk.isFull = true;
    await expect(site.note.create({ text: "ann's" }).saved).rejects.toThrow("No room");
    disk.isFull = false;
    who.user = "bob";
    await device.client.signIn();
    device.online();
    await device.client.sync();
    expect(site.note.all()).toEqual([]);
    expect(device.reports).toEqual(["storage", "unsynced_lost"]);
  });

  it("rule 8: what a guest writes while signing in is adopted with the rest", async () => {
    const who: { user: string | null } = { user: null };
    let written = 1;
    const late = { write: () => {} };
    // The account's storage takes its time to be asked, as a disk does; the person goes on writing.
    const storage = memoryStorageWith((handle, name) => ({
      async get(...where) {
        if (name.includes("ann")) late.write();
        return handle.get(...where);
      },
    }));
    const device = place.device({ storage, client: { credentials: () => who.user && `dev:${who.user}` } });
    const site = await device.open();
    await site.note.create({ text: "n" }).saved;
    late.write = () => {
      written += 1;
      site.note.create({ text: "n" });
    };
    who.user = "ann";
    await device.client.signIn();
    late.write = () => {};
    await device.client.sync();
    expect(written).toBeGreaterThan(3);
    expect(site.note.all()).toHaveLength(written);
    const other = place.device();
    const theirs = await other.open();
    await other.client.sync();
    expect(bytesOf(theirs)).toBe(bytesOf(site));
    expect(device.client.status.pending.count).toBe(0);
  });

  it("rule 8: signing out waits for a write on its way to the storage, and then does not drop it", async () => {
    const { storage, shut, open } = slowStorage();
    const device = place.device({ storage });
    const site = await device.open();
    await device.client.sync();
    device.offline();
    shut();
    site.note.create({ text: "on its way" });
    const leaving = device.client.signOut();
    open();
    await expect(leaving).rejects.toMatchObject({ code: "unsynced" });
  });

  it("rule 8: what is written while somebody signs out is refused, and not called saved and then dropped", async () => {
    const device = place.device({ storage: memoryStorage() });
    const site = await device.open();
    await device.client.sync();
    const leaving = device.client.signOut();
    expect(() => site.note.create({ text: "too late" })).toThrow("signed out");
    expect(await leaving).toEqual([]);
  });

  it("rule 8: writing goes on where signing out is refused", async () => {
    const device = place.device({ storage: memoryStorage() });
    const site = await device.open();
    device.offline();
    await site.note.create({ text: "unsynced" }).saved;
    await expect(device.client.signOut()).rejects.toMatchObject({ code: "unsynced" });
    await site.note.create({ text: "one more" }).saved;
  });

  it("rule 8: signing out does not drop a write that the storage refused", async () => {
    const { storage, disk } = fullStorage();
    const device = place.device({ storage });
    const site = await device.open();
    await device.client.sync();
    device.offline();
    disk.isFull = true;
    const receipt = site.note.create({ text: "refused" });
    await expect(receipt.saved).rejects.toThrow("No room");
    await expect(device.client.signOut()).rejects.toMatchObject({ code: "unsynced" });
    expect(await device.client.signOut({ unsynced: "export" })).toMatchObject([
      { event: { id: receipt.id } },
    ]);
  });
});

describe("a token", () => {
  it("rule 1: that never comes does not keep a named account's data from being opened", async () => {
    const never = new Promise<string>(() => {});
    const device = place.device({ client: { account: "ann", credentials: () => never } });
    const site = await device.open();
    await site.note.create({ text: "offline" }, { key: "n1" }).saved;
    expect(site.note.get("n1")?.text).toBe("offline");
  });

  it("rule 8: refused while writes wait is asked for anew, and nothing is lost", async () => {
    await place.close();
    const valid = new Set(["t1"]);
    place = openPlace({ auth: (token) => (valid.has(token) ? { id: "ann" } : undefined) });
    const asked: string[] = [];
    let token: string | null = "t1";
    const device = place.device({
      client: {
        account: "ann",
        credentials(reason) {
          asked.push(reason);
          return token;
        },
      },
    });
    const site = await device.open();
    site.note.create({ text: "one" }, { key: "n1" });
    await device.client.sync();
    valid.clear();
    valid.add((token = "t2"));
    const receipt = site.note.increment("n1", { votes: 1 });
    await device.client.sync();
    expect(await receipt.settled).toMatchObject({ status: "applied" });
    expect(asked).toEqual(["start", "refused"]);

    // Nobody is signed in any more: what is written waits, and says so.
    valid.clear();
    token = null;
    const waiting = site.note.increment("n1", { votes: 1 });
    await expect(device.client.sync()).rejects.toMatchObject({ code: "signed-out" });
    expect(device.client.status).toMatchObject({ state: "signed-out", pending: { count: 1 } });
    expect(site.note.get("n1")?.votes).toBe(2);
    valid.add((token = "t3"));
    await device.client.signIn();
    await device.client.sync();
    expect(await waiting.settled).toMatchObject({ status: "applied" });
    expect(site.note.get("n1")).toMatchObject({ votes: 2, $: { pending: false } });
  });
});

describe("signing out", () => {
  async function unsynced() {
    const made = phone("ann");
    const device = made.start();
    const site = await device.open();
    site.note.create({ text: "synced" }, { key: "n1" });
    await device.client.sync();
    device.offline();
    const receipt = site.note.create({ text: "unsynced" }, { key: "n2" });
    await receipt.saved;
    return { ...made, device, site, receipt };
  }

  it("rule 8: is refused while something is unsynced, and goes on as if nothing had been asked", async () => {
    const { device, site, receipt } = await unsynced();
    await expect(device.client.signOut()).rejects.toMatchObject({ code: "unsynced" });
    expect(site.note.get("n2")?.text).toBe("unsynced");
    device.online();
    await device.client.sync();
    expect(await receipt.settled).toMatchObject({ status: "applied" });
    expect(await device.client.signOut()).toEqual([]);
  });

  it.each(["export", "discard"] as const)(
    "rule 8: with %s it forgets everything, and gives back what was asked for",
    async (how) => {
      const { who, start, device, receipt } = await unsynced();
      const given = await device.client.signOut({ unsynced: how });
      expect(given.map(({ space, event }) => `${space} ${event.id}`)).toEqual(
        how === "export" ? [`site-7 ${receipt.id}`] : [],
      );
      who.user = null;
      const after = start();
      const site = await after.open();
      expect(site.note.all()).toEqual([]);
      expect([after.client.status.storage.problem, ...after.reports]).toEqual([null]);
      await after.client.close();
      who.user = "ann";
      const again = start();
      const fetched = await again.open();
      await again.client.sync();
      expect(fetched.note.all()).toMatchObject([{ key: "n1" }]);
      expect(place.clashes).toEqual([]);
    },
  );
});

describe("after signing out", () => {
  it("rule 8: nothing of the account is in view, and who signs in next goes on in the same client", async () => {
    const { who, start } = phone("ann");
    const device = start();
    const site = await device.open();
    site.note.create({ text: "ann's" }, { key: "n1" });
    await device.client.sync();
    const seen: number[] = [];
    site.note.watch((notes) => void seen.push(notes.length));
    expect(await device.client.signOut()).toEqual([]);
    expect([site.note.all(), seen]).toEqual([[], [1, 0]]);
    expect(device.client.status).toMatchObject({ state: "signed-out", reason: "Nobody is signed in." });
    expect(() => site.note.create({ text: "whose?" })).toThrow("signed out");
    await expect(device.client.sync()).rejects.toMatchObject({ code: "stopped" });

    who.user = "ben";
    await device.client.signIn();
    const bens = await device.open("of-ben");
    const receipt = bens.note.create({ text: "ben's" }, { key: "n1" });
    expect(await receipt.settled).toMatchObject({ status: "applied" });
    expect(site.note.all()).toEqual([]);

    who.user = "ann";
    await device.client.signOut();
    await device.client.signIn();
    await device.client.sync().catch(() => undefined);
    expect(site.note.get("n1")?.text).toBe("ann's");
    expect(bens.note.all()).toEqual([]);
    expect(device.reports).toEqual([]);
  });

  it("rule 8: what was given back is neither shown nor sent any more", async () => {
    const { who, start } = phone("ann");
    const device = start();
    const site = await device.open();
    await device.client.sync();
    device.offline();
    const receipt = site.note.create({ text: "unsynced" }, { key: "n1" });
    let outcome: unknown;
    void receipt.settled.then((told) => (outcome = told));
    expect(await device.client.signOut({ unsynced: "export" })).toHaveLength(1);
    expect(device.client.status).toMatchObject({ state: "signed-out", pending: { count: 0 } });
    device.online();
    who.user = null;
    await device.client.signIn();
    expect(device.client.status.state).toBe("signed-out");
    who.user = "ann";
    await device.client.signIn();
    await device.client.sync();
    expect([site.note.all(), device.client.status.state, outcome]).toEqual([[], "live", undefined]);
  });
});

describe("records of local domains", () => {
  it("rule 8: are those of who is signed in, and are there again when they come back", async () => {
    const { who, start } = phone("ann");
    const device = start({ client: app(1) });
    const site = await siteOf(device);
    await site.draft.create({ text: "ann's" }, { key: "d1" }).saved;
    who.user = "ben";
    await device.client.signIn();
    expect(site.draft.query({})).toEqual([]);
    await site.draft.create({ text: "ben's" }, { key: "d2" }).saved;
    who.user = "ann";
    await device.client.signIn();
    expect(site.draft.query({})).toMatchObject([{ key: "d1", text: "ann's" }]);
  });
});
