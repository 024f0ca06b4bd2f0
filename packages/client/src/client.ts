import {
  HybridClock,
  type Stamp,
  isIdentifier,
  makeTail,
  portableSha256,
  randomUuid,
} from "@landfall/protocol";
import type { Schema } from "@landfall/schema";
import { accountOf, guestAccount } from "./account.js";
import { adoptGuest } from "./adopt.js";
import { type ClientOptions, checkOptions } from "./client-options.js";
import {
  type AccountStorage,
  forgetStorage,
  noteStorage,
  openAccount,
  putClock,
  readLastAccount,
  writeLastAccount,
} from "./client-storage.js";
import { deviceName, giveSpace, putDevice } from "./installation.js";
import { knownOptions } from "./known-options.js";
import { tell } from "./listeners.js";
import { createLoop } from "./loop/loop.js";
import { type Loop, SyncError } from "./loop/port.js";
import { type ServerClock, createServerClock } from "./loop/server-clock.js";
import { type Session, createSession } from "./loop/session.js";
import { platformPorts } from "./platform.js";
import type { ClientPorts } from "./ports.js";
import { httpRemote } from "./remote/http.js";
import type { Remote } from "./remote/port.js";
import { forkSessions } from "./space/recovery.js";
import { migrateItem } from "./space/item-migration.js";
import { migrateLocal } from "./space/local-records.js";
import { fieldNow, migrateEvent, presenters, schemaRules } from "./space/schema-rules.js";
import { type SpaceHandle, spaceHandle } from "./space/space-handle.js";
import type { SessionContext } from "./space/session-context.js";
import type { SpaceNews } from "./space/space-news.js";
import { SpaceSession } from "./space/space-session.js";
import { type SpacesHandle, createUnlessThere, spacesHandle } from "./spaces-handle.js";
import type { ClientStatus } from "./status.js";
import { StatusKeeper } from "./status-keeper.js";
import { indexedDbStorage } from "./storage/indexeddb.js";
import { memoryStorage } from "./storage/memory.js";
import {
  type ClientStorageFactory,
  type StorageChange,
  type StorageEntry,
  StorageError,
  isLost,
} from "./storage/port.js";
import { Serial } from "./space/serial.js";
import { TabGroup, tellAdopted } from "./tabs/tab-group.js";
import { type UnsyncedWrite, unsyncedWrites } from "./unsynced.js";

export interface Client<S extends Schema = Schema> {
  readonly status: ClientStatus;
  /** Calls when `status` has changed. Returns what ends it. */
  subscribe(listener: () => void): () => void;
  /**
   * A space to open; `create` makes it at the first contact if there is none. `open` rejects with a TypeError where no
   * space can have that id.
   */
  space(id: string, options?: { readonly create?: boolean }): { open(): Promise<SpaceHandle<S>> };
  /**
   * Tries now. Resolves when everything known at the call has landed.
   * @throws SyncError saying why it has not, and in which space where the others have.
   */
  sync(): Promise<void>;
  spaces(): SpacesHandle;
  /** Asks `credentials` again: somebody has signed in, perhaps as another account. */
  signIn(): Promise<void>;
  /**
   * Forgets the account's data on this device, in this tab and all others; they go on after a `signIn`. `block` (the default) refuses while something is unsynced,
   * `export` gives it back, `discard` drops it.
   * @throws SyncError `unsynced`.
   */
  signOut(options?: {
    readonly unsynced?: "block" | "export" | "discard";
  }): Promise<readonly UnsyncedWrite[]>;
  /** Lets go of everything; what is stored stays. */
  close(): Promise<void>;
}

/**
 * How far ahead stamps are reserved, so that a crash and a clock set back never issue one again. Short, because the
 * next session's stamps begin behind the block: it would win against all that others write until then.
 */
const reserveMs = 250;

/**
 * Makes a client; it opens its storage and starts to sync by itself (DESIGN §8).
 * @throws Error that says which option is not one, or not of its kind.
 */
export function createClient<S extends Schema>(options: ClientOptions<S>): Client<S> {
  return new LandfallClient(options);
}

class LandfallClient<S extends Schema> implements Client<S> {
  readonly #options: ClientOptions<S>;
  readonly #ports: ClientPorts;
  readonly #app: string;
  readonly #remote: Remote;
  readonly #session: Session;
  readonly #serverClock: ServerClock;
  readonly #status: StatusKeeper;
  readonly #loop: Loop;
  readonly #tabs: TabGroup;
  readonly #sessions = new Map<string, SpaceSession>();
  readonly #opening = new Map<string, Promise<SpaceSession>>();
  readonly #handles = new Map<string, SpaceHandle<S>>();
  /** Spaces that are to be created, each for an account: another's would keep it out. What a guest wishes is for whoever comes. */
  readonly #wished = new Map<string, string>();
  readonly #ready: Promise<void>;
  #opened!: AccountStorage;
  #stamps!: HybridClock;
  #reservedMs = 0;
  #closed = false;
  /** Somebody signs out, or has in another tab: what was written now would be forgotten with the rest. */
  #leaving = false;
  /** Somebody has: nothing is held of an account until somebody signs in. */
  #left = false;
  /** Signing in and out, one after the other. */
  readonly #turns = new Serial();

  constructor(options: ClientOptions<S>) {
    checkOptions(options);
    this.#options = options;
    this.#ports = options.ports ?? platformPorts();
    this.#app = options.name ?? "landfall";
    const { net, clock, timers } = this.#ports;
    this.#remote = options.remote ?? httpRemote({ url: options.url, net, clock, timers });
    this.#session = createSession(options.credentials, clock);
    this.#serverClock = createServerClock(clock);
    this.#status = new StatusKeeper(timers, () => this.#sessions.values());
    this.#loop = createLoop({
      remote: this.#remote,
      ports: this.#ports,
      session: this.#session,
      serverClock: this.#serverClock,
      device: () => this.#opened.device,
      onStatus: (status) => {
        this.#status.loop(status);
        this.#tabs.tellStatus(status);
      },
    });
    this.#tabs = new TabGroup(
      this.#ports,
      {
        loop: this.#loop,
        takeSpaces: () => this.#takeSpaces(),
        leaveSpaces: () => {
          for (const space of this.#sessions.keys()) this.#loop.removeSpace(space);
        },
        showStatus: (status) => {
          this.#status.loop(status);
          // One that leads since a moment ago was not there, or did not listen, when these were opened.
          for (const space of this.#sessions.keys())
            if (!Object.hasOwn(status.spaces, space)) this.#tellOpened(space);
        },
        // It is taken in by and by; nobody waits for it who could hear that it failed.
        hear: (space, news) =>
          void this.#hear(space, news).catch((error: unknown) =>
            this.#report("storage", `The work of another tab could not be shown: ${String(error)}`),
          ),
        signedOut: () => void this.#part(),
        adopted: () => void this.#follow(),
      },
      options.schema.version,
    );
    this.#ready = this.#start();
    // A failed start is thrown by whatever is called first.
    this.#ready.catch(() => undefined);
  }

  async #start(): Promise<void> {
    // Where the app names the account, what is stored opens without waiting for a token.
    const token =
      this.#options.account === undefined ? await this.#session.ask().catch(() => undefined) : undefined;
    const account = this.#accountFor(token) ?? readLastAccount(this.#ports.notes, this.#app) ?? guestAccount;
    await this.#openAccount(account);
  }

  #accountFor(token: string | null | undefined): string | undefined {
    return this.#options.account ?? (token ? accountOf(token) : undefined);
  }

  /** Opens an account's storage and joins its tabs; sessions that are open go on with its data. */
  async #openAccount(account: string): Promise<void> {
    const { random, notes } = this.#ports;
    const open = async (name: string): Promise<AccountStorage> => {
      const found = await openAccount({
        factory: this.#factory(),
        app: this.#app,
        account: name,
        random,
        notes,
      });
      if (found.unsyncedLost) this.#report("unsynced_lost", found.problem ?? "");
      return found;
    };
    const opened = await open(account);
    this.#stamps ??= new HybridClock({
      now: this.#serverClock.now,
      tail: makeTail(random.bytes(8)),
      floorMs: opened.floorMs,
    });
    this.#reservedMs = Math.max(this.#reservedMs, opened.floorMs);
    const before = this.#opened as AccountStorage | undefined;
    this.#opened = opened;
    // What is written from here on goes to this storage; what was on its way to the one before is there when it is adopted.
    await this.#allSaved();
    if (account !== guestAccount)
      await this.#adopt(before?.account === guestAccount ? before : await open(guestAccount), opened);
    writeLastAccount(notes, this.#app, account === guestAccount ? null : account);
    this.#status.storage(
      { kind: opened.storage.kind, persistent: opened.storage.persistent, problem: opened.problem },
      (pending) => this.#leaving || noteStorage(notes, this.#opened, pending),
    );
    if (opened.problem && !opened.unsyncedLost) this.#report("storage", opened.problem);
    const isOther = before !== undefined && before.account !== guestAccount;
    // What is still loading was read from the storage before.
    await Promise.allSettled(this.#opening.values());
    for (const session of this.#sessions.values())
      await (isOther
        ? session.otherTabs.leaveAccount("another account has signed in")
        : session.otherTabs.reload(false, true));
    this.#status.account(account === guestAccount ? null : account);
    // Only tabs that share a storage are tabs of one account; elsewhere, and on memory that stands in, this one stands alone.
    const isShared = opened.storage.kind === "indexeddb" || (!!this.#options.ports && !opened.refusal);
    this.#tabs.join(opened, isShared);
    for (const space of this.#sessions.keys()) this.#tellOpened(space);
  }

  #factory(): ClientStorageFactory {
    const { storage } = this.#options;
    if (storage) return storage;
    this.#defaultStorage ??=
      typeof indexedDB === "undefined" && typeof window === "undefined"
        ? memoryStorage()
        : indexedDbStorage();
    return this.#defaultStorage;
  }
  #defaultStorage: ClientStorageFactory | undefined;

  /** Data made before signing in goes into the account's (DESIGN §8). */
  async #adopt(guest: AccountStorage, into: AccountStorage): Promise<void> {
    const isAdopted = await adoptGuest(
      guest.storage,
      into.storage,
      this.#options.firstSync ?? "merge",
      (): Stamp => this.#stamps.next(),
    );
    if (!isAdopted) return;
    forgetStorage(this.#ports.notes, guest.name);
    tellAdopted(this.#ports, guest.name);
  }

  // --- tabs ---------------------------------------------------------------------------------------------

  /** Opens what is open in any tab or has something to send, reads it as the leader before has left it, and syncs it. */
  async #takeSpaces(): Promise<void> {
    const { storage } = this.#opened;
    // The leader before may have found that this installation was copied, and given all its tabs another id.
    const device = await storage.get("meta", "", deviceName);
    if (typeof device === "string") this.#opened = { ...this.#opened, device };
    for (const space of await storage.spaces()) {
      if (space === "") continue;
      const waiting = await storage.entries("outbox", space);
      if (waiting.length > 0 || this.#sessions.has(space)) await this.#openSession(space, {});
    }
    // What the leader before did may not have been heard.
    for (const session of this.#sessions.values()) {
      await session.otherTabs.reload(true);
      if (this.#isWished(session.space)) await session.wish();
      this.#loop.addSpace(session.exchanges);
    }
  }

  async #hear(space: string, news: SpaceNews): Promise<void> {
    const isWish = news.type === "opened" && news.create;
    // The tab that leads may close before it hears; whoever leads next sees to it.
    if (isWish) this.#wished.set(space, this.#opened.account);
    // What a space that is being opened here does not find stored yet it hears of when it is open.
    const opening = this.#tabs.term === undefined ? this.#opening.get(space) : this.#openSession(space, {});
    const session = this.#sessions.get(space) ?? (await opening);
    if (!session) return;
    await session.otherTabs.hear(news);
    if (isWish) await this.#wish(session);
    this.#status.changed();
  }

  #publish(space: string, news: SpaceNews): void {
    this.#status.changed();
    this.#tabs.tell(space, news);
  }

  #tellOpened(space: string): void {
    this.#publish(space, { type: "opened", create: this.#isWished(space) });
  }

  // --- spaces -------------------------------------------------------------------------------------------

  #context(space: string): SessionContext {
    const client = this;
    const { schema, hash } = this.#options;
    const domains = Object.values(schema.domains);
    const { clock, timers } = this.#ports;
    return {
      get storage() {
        return client.#opened.storage;
      },
      rules: schemaRules(schema, { user: () => client.#opened.account, timers }),
      stamps: this.#stamps,
      wall: clock,
      timers,
      hash: hash ?? portableSha256,
      schemaVersion: schema.version,
      migrate: (event) => migrateEvent(schema, event),
      fieldNow: (event, domain, field) => fieldNow(schema, event, domain, field),
      migrateItem: (item) => migrateItem(schema, item),
      migrateLocal: (records) => migrateLocal(schema, records),
      presenter: presenters(schema, ({ domain, key }, message) =>
        client.#report("not_migrated", `${space}: ${domain} ${key} shows as it is. ${message}`),
      ),
      domains: domains.flatMap(({ local, name }) => (local ? [] : [name])),
      localDomains: domains.flatMap(({ local, name }) => (local ? [name] : [])),
      device: () => client.#opened.device,
      clockChange: () => client.#clockChange(),
      forkDevice: (session) => client.#forkDevice(session),
      createSpace: (space) => createUnlessThere(client.spaces(), space),
      reconcile: (request) => client.#session.authorized((token) => client.#remote.reconcile(request, token)),
      term: () => client.#tabs.term,
      fenced: () => client.#tabs.fenced(),
      refusal: () => client.#opened.refusal,
      leaving: () => client.#leaving,
      stored: () => client.#status.storageProblem(client.#opened.problem),
      unstored: (error) => client.#unstored(error),
      publish: (space, news) => client.#publish(space, news),
      wake: () => {
        client.#status.changed();
        if (client.#tabs.term !== undefined) client.#loop.wake();
      },
      changed: () => client.#status.changed(),
      report: (code, message) => client.#report(code, message),
    };
  }

  #clockChange(): StorageChange | undefined {
    if (this.#stamps.lastMs <= this.#reservedMs) return undefined;
    this.#reservedMs = this.#stamps.lastMs + reserveMs;
    return putClock({ reservedMs: this.#reservedMs, offsetMs: this.#serverClock.offsetMs });
  }

  #unstored(error: unknown): boolean {
    if (!(error instanceof StorageError) || this.#leaving) return false;
    this.#status.storageProblem(error.message);
    return error.code === "full";
  }

  #report(code: string, message: string): void {
    const { onReport } = this.#options;
    if (onReport) tell([onReport], code, message);
    // oxlint-disable-next-line no-console -- where nobody listens, the console is the last place to be heard
    else console.warn(`Landfall: ${message}`);
  }

  /** Takes a new device id and the seqs of all outboxes back, in one transaction (DESIGN rule 3). */
  async #forkDevice(asking: SpaceSession): Promise<void> {
    const { storage, device: before } = this.#opened;
    const device = randomUuid(this.#ports.random);
    const changes: StorageChange[] = putDevice(device);
    const open: SpaceSession[] = [];
    for (const space of await storage.spaces()) {
      if (space === "") continue;
      const session = this.#sessions.get(space);
      if (session) open.push(session);
      else changes.push(...(await giveSpace(storage, space, { device, before, isBaseGone: false })));
    }
    await forkSessions(open, asking, device, changes, () => (this.#opened = { ...this.#opened, device }));
  }

  #openSession(space: string, options: { readonly create?: boolean }): Promise<SpaceSession> {
    let opening = this.#opening.get(space);
    if (!opening) {
      opening = SpaceSession.open(space, this.#context(space), options).then((session) => {
        this.#sessions.set(space, session);
        if (this.#tabs.term !== undefined) this.#loop.addSpace(session.exchanges);
        else {
          this.#publish(space, { type: "opened" });
          // A tab that died between storing a write and telling of it has left it to whoever reads it first.
          session.tellWrites(session.outbox.events, true);
        }
        this.#status.changed();
        return session;
      });
      this.#opening.set(space, opening);
      opening.catch(() => this.#opening.delete(space));
    }
    return opening;
  }

  #isWished(space: string): boolean {
    const { account } = this.#opened;
    if (this.#wished.get(space) === guestAccount) this.#wished.set(space, account);
    return this.#wished.get(space) === account;
  }

  async #wish(session: SpaceSession): Promise<void> {
    if (await session.wish()) this.#loop.addSpace(session.exchanges);
  }

  space(id: string, options: { readonly create?: boolean } = {}): { open(): Promise<SpaceHandle<S>> } {
    return {
      open: async () => {
        knownOptions("space", options, ["create"]);
        // The server refuses a whole request for one such name in it: nothing at all would sync from then on.
        if (typeof id !== "string" || !isIdentifier(id))
          throw new TypeError(
            `${JSON.stringify(id)} cannot be the id of a space: 1–128 characters of A–Z a–z 0–9 . _ ~ : -.`,
          );
        await this.#ready;
        if (this.#closed) throw new SyncError("stopped", "The client was closed.");
        if (options.create) this.#wished.set(id, this.#left ? guestAccount : this.#opened.account);
        const session = await this.#openSession(id, options);
        const isUnmet = session.meta.generation === undefined && !this.#left;
        if (options.create && isUnmet && this.#isWished(id)) {
          await this.#wish(session);
          this.#publish(id, { type: "opened", create: true });
        }
        let handle = this.#handles.get(id);
        if (!handle)
          this.#handles.set(id, (handle = spaceHandle(session, this.#options.schema, this.#ports.random)));
        return handle;
      },
    };
  }

  spaces(): SpacesHandle {
    return spacesHandle(this.#remote, this.#session, () => this.#opened.account);
  }

  // --- status and life ----------------------------------------------------------------------------------

  get status(): ClientStatus {
    return this.#status.current;
  }

  subscribe(listener: () => void): () => void {
    return this.#status.subscribe(listener);
  }

  async sync(): Promise<void> {
    await this.#ready;
    await this.#tabs.sync();
    // What a newer tab has fetched, this one may be too old to read.
    for (const { space, outdated } of this.#sessions.values())
      if (outdated !== undefined) throw new SyncError("outdated", `${space}: ${outdated}`);
  }

  signIn(): Promise<void> {
    return this.#turns.run(() => this.#signIn());
  }

  async #signIn(): Promise<void> {
    await this.#ready;
    if (this.#closed) throw new SyncError("stopped", "The client was closed.");
    const account = this.#accountFor(await this.#session.ask());
    if (account !== undefined && (account !== this.#opened.account || this.#left)) {
      const before = this.#opened;
      await this.#tabs.leave();
      // What is on its way to the storage belongs to the account that it was written under.
      await this.#allSaved();
      await this.#openAccount(account);
      this.#leaving = this.#left = false;
      if (before.account !== guestAccount) await before.storage.close();
      // The tab that leads may never have heard of what this one could not store meanwhile.
      for (const session of this.#sessions.values()) session.tellWrites(session.outbox.refused, false);
    }
    this.#loop.signIn();
  }

  /** A guest has signed in in another tab, and what this one shows is an account's by now. */
  #follow(): Promise<void> {
    return this.#turns.run(async () => {
      if (this.#closed || this.#opened.account !== guestAccount) return;
      await this.#signIn().catch(() => undefined);
      if (this.#opened.account === guestAccount) await this.#leaveAccount();
    });
  }

  /** The account was signed out in another tab. */
  #part(): Promise<void> {
    this.#leaving = true;
    // A login form that was left open would keep what is gone in view until somebody fills it in.
    this.#session.giveUp();
    return this.#turns.run(() => this.#leaveAccount());
  }

  /** The storage is gone: nothing that was in it stays in view, and nothing is written until somebody signs in. */
  async #leaveAccount(): Promise<void> {
    this.#leaving = true;
    if (this.#closed) return;
    await this.#tabs.leave("The account was signed out.");
    // What is on its way would be stored in the place of what is gone, and said to be safe.
    await this.#allSaved();
    const { account, storage } = this.#opened;
    this.#opened = await openAccount({
      factory: memoryStorage(),
      app: this.#app,
      account,
      random: this.#ports.random,
      notes: undefined,
    });
    this.#session.forget();
    await Promise.allSettled(this.#opening.values());
    for (const session of this.#sessions.values())
      await session.otherTabs.leaveAccount("the account was signed out");
    this.#left = true;
    await storage.close();
    this.#status.signedOut();
  }

  async signOut(
    options: { readonly unsynced?: "block" | "export" | "discard" } = {},
  ): Promise<readonly UnsyncedWrite[]> {
    const { unsynced = "block" } = options;
    knownOptions("signOut", options, ["unsynced"]);
    if (!["block", "export", "discard"].includes(unsynced))
      throw new TypeError("signOut needs unsynced to be block, export or discard.");
    this.#leaving = true;
    // It may be called inside of credentials, which then waits for what waits for it. Without a note of whose data lies
    // here, the answer at the start is needed to find it.
    if ((this.#opened as AccountStorage | undefined) || this.#ports.notes) this.#session.giveUp();
    return this.#turns.run(() => this.#signOut(unsynced));
  }

  async #signOut(unsynced: "block" | "export" | "discard"): Promise<readonly UnsyncedWrite[]> {
    if (this.#closed) throw new SyncError("stopped", "The client was closed.");
    // What another tab has signed in to since is not this one's to forget.
    if (this.#left) return [];
    this.#leaving = true;
    try {
      await this.#ready;
      await this.#allSaved();
      let writes: readonly UnsyncedWrite[] = [];
      const may = (outbox: readonly StorageEntry[]): boolean => {
        writes = unsyncedWrites(outbox, this.#sessions.values());
        return writes.length === 0 || unsynced !== "block";
      };
      const { storage, name } = this.#opened;
      const isGone = await storage.destroy(may).catch((error: unknown) => {
        // Another tab has signed out.
        if (isLost(error)) return may([]);
        throw error;
      });
      if (!isGone) {
        throw new SyncError(
          "unsynced",
          `${writes.length} writes have not reached the server. Sync first, or sign out with unsynced: "export" or "discard".`,
        );
      }
      this.#tabs.tellSignedOut();
      for (const { outbox } of this.#sessions.values())
        for (const { id } of outbox.refused) outbox.markReady(id, true);
      await this.#leaveAccount();
      forgetStorage(this.#ports.notes, name);
      writeLastAccount(this.#ports.notes, this.#app, null);
      return unsynced === "discard" ? [] : writes;
    } catch (error) {
      this.#leaving = false;
      throw error;
    }
  }

  /** Resolves when what was written so far is stored, or the storage has refused it. */
  async #allSaved(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.saved()));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#ready.catch(() => undefined);
    for (const session of this.#sessions.values()) await session.close();
    await this.#tabs.leave("The client was closed.");
    this.#status.close();
    await this.#opened?.storage.close();
  }
}
