import type { Fault } from "./fault.js";

/** Mistakes of what a device knows once it has read its disk again, and of what it says of a record. */
export const deviceFaults: readonly Fault[] = [
  {
    name: "account-that-is-not-said",
    rule: "§8",
    file: "packages/client/src/client.ts",
    find: "this.#status.account(account === guestAccount ? null : account);",
    replace: "",
    test: {
      file: "tests/sync/account.test.ts",
      title: "is said by the status, whatever token the app has by now",
    },
    why: "A tab that was left open says that it is somebody else's.",
  },
  {
    name: "commit-done-again-behind-a-later-one",
    rule: "rule 8",
    file: "packages/client/src/storage/indexeddb.ts",
    find: "return this.#committing ? this.#committing.then(work) : work();",
    replace: "return work();",
    test: {
      file: "packages/client/src/storage/indexeddb.test.ts",
      title: "comes before those that follow it",
    },
    why: "A write that is settled comes back, and a newer state of the replica gives way to an older one.",
  },
  {
    name: "new-database-taken-for-the-old",
    rule: "rule 8",
    file: "packages/client/src/storage/indexeddb.ts",
    find: "if (birth !== this.#birth)",
    replace: "if (birth === undefined)",
    test: {
      file: "packages/client/src/storage/indexeddb.test.ts",
      title: "is `lost` when the browser evicts it, also where another one has been made in its place",
    },
    why: "A page that slept while its data was evicted stores the end of a replica whose beginning is gone.",
  },
  {
    name: "seq-without-room-is-forgotten",
    rule: "rule 3",
    file: "packages/client/src/space/outbox.ts",
    find: "entry.loose = !isStored;",
    replace: "",
    test: {
      file: "packages/client/src/space/outbox.test.ts",
      title:
        "a number that the storage had no room for is stored with the next ones, though its event is answered meanwhile",
    },
    why: "After a crash what was written first comes last, and its outcome is acknowledged unheard.",
  },
  {
    name: "cut-counts-what-had-no-room",
    rule: "rule 3",
    file: "packages/client/src/space/space-session.ts",
    find: "nextSeq: this.outbox.storedSeq(settled),",
    replace: "nextSeq: this.outbox.nextSeq,",
    test: {
      file: "tests/faults/installation.test.ts",
      title:
        "a number that it did not take is given again after a crash, although a cut was stored meanwhile",
    },
    why: "After a crash the device takes a server that never had its write for one that has lost it.",
  },
  {
    name: "request-counts-what-had-no-room",
    rule: "rule 3",
    file: "packages/client/src/space/requests.ts",
    find: "nextSeq: session.outbox.storedSeq(isNumbered, nextSeq) };",
    replace: "nextSeq }; void isNumbered;",
    test: {
      file: "tests/faults/installation.test.ts",
      title:
        "a number that it did not take is given again after a crash, although the one before was stored meanwhile",
    },
    why: "After a crash the device takes a server that never had its write for one that has lost it.",
  },
  {
    name: "seq-without-room-is-forgotten-by-the-next-leader",
    rule: "rule 3",
    file: "packages/client/src/space/outbox.ts",
    find: "const seq = isAsKnown ? entry?.event.seq : undefined;",
    replace: "const seq = undefined;",
    test: {
      file: "packages/client/src/space/outbox.test.ts",
      title:
        "a number that the storage had no room for stands when the storage is read again, unless it was taken back",
    },
    why: "What was written last goes first, and the server seems to have lost all that comes before it.",
  },
  {
    name: "taken-back-seq-stands",
    rule: "rule 3",
    file: "packages/client/src/space/outbox.ts",
    find: "const seq = isAsKnown ? entry?.event.seq : undefined;",
    replace: "const seq = entry?.event.seq;",
    test: {
      file: "packages/client/src/space/outbox.test.ts",
      title:
        "a number that the storage had no room for stands when the storage is read again, unless it was taken back",
    },
    why: "A tab that leads next sends under seqs that the device has given up.",
  },
  {
    name: "stamps-of-a-reload-not-seen",
    rule: "rule 6",
    file: "packages/client/src/space/other-tabs.ts",
    find: "for (const rows of stored.rows.values()) session.observe(rows.values()); const patch",
    replace: "const patch",
    test: {
      file: "tests/faults/installation.test.ts",
      title: "writes what is newer than all that it has read there",
    },
    why: "Who writes in a tab that has read the storage anew loses to what they saw there.",
  },
  {
    name: "pending-of-no-history",
    rule: "rule 12",
    file: "packages/client/src/space/space-session.ts",
    find: "if (this.meta.generation !== undefined) made.generation = this.meta.generation;",
    replace: "",
    test: {
      file: "tests/sync/generation.test.ts",
      title: "parks what is pending on a device whose storage lost a part meanwhile, and sends nothing of it",
    },
    why: "What was written before a wipe comes back after it, from a device whose storage was evicted in part.",
  },
  {
    name: "signing-out-looks-first",
    rule: "rule 8",
    file: "packages/client/src/client.ts",
    find: "await storage.destroy(may).catch",
    replace:
      'await (async () => may((await Promise.all((await storage.spaces()).map((space) => storage.entries("outbox", space)))).flat()) && storage.destroy(() => true))().catch',
    test: {
      file: "tests/sync/signing-out.test.ts",
      title: "is refused where another tab saves a write at the last moment, and all go on",
    },
    why: "A write that another tab has called saved goes with the storage, and nobody is told.",
  },
  {
    name: "writes-go-on-while-signing-out",
    rule: "rule 8",
    file: "packages/client/src/space/space-session.ts",
    find: "if (this.context.leaving())",
    replace: "if (false as boolean)",
    test: {
      file: "tests/sync/account.test.ts",
      title: "what is written while somebody signs out is refused, and not called saved and then dropped",
    },
    why: "What is written while somebody signs out shows as if it were kept, and is gone with the rest.",
  },
  {
    name: "emptied-storage-takes-writes",
    rule: "rule 8",
    file: "packages/client/src/storage/indexeddb.ts",
    find: 'if (mark.result !== undefined) throw lostStorage("deleted");',
    replace: "",
    test: {
      file: "packages/client/src/storage/indexeddb.test.ts",
      title: "rule 8: a commit behind a destroy is refused, although the database is not deleted yet",
    },
    why: "What a tab writes while another one signs out is called saved, and is gone a moment later.",
  },
  {
    name: "guest-is-destroyed-unseen",
    rule: "rule 8",
    file: "packages/client/src/adopt.ts",
    find: "outbox.every(isTaken)",
    replace: "outbox.every(isTaken) || true",
    test: {
      file: "tests/sync/signing-out.test.ts",
      title: "what another tab writes as a guest while this one signs in is adopted too",
    },
    why: "What is written in a second tab while the first signs in is lost.",
  },
  {
    name: "space-of-any-name",
    rule: "§8",
    file: "packages/client/src/client.ts",
    find: 'if (typeof id !== "string" || !isIdentifier(id))',
    replace: 'if (typeof id !== "string")',
    test: {
      file: "tests/sync/beginner-mistakes.test.ts",
      title: "in the id of a space is refused at once, and keeps no other space from syncing",
    },
    why: "The server refuses every request with that name in it, and nothing of the device syncs any more.",
  },
  {
    name: "signed-out-and-still-in-view",
    rule: "rule 8",
    file: "packages/client/src/client.ts",
    find: 'for (const session of this.#sessions.values()) await session.otherTabs.leaveAccount("the account was signed out");',
    replace: "",
    test: {
      file: "tests/sync/signing-out.test.ts",
      title: "no other tab shows anything of the account from then on",
    },
    why: "Who signs in next, in a tab that was left open, looks at the data of the person before.",
  },
  {
    name: "adopted-is-not-told",
    rule: "rule 8",
    file: "packages/client/src/client.ts",
    find: "tellAdopted(this.#ports, guest.name);",
    replace: "",
    test: {
      file: "tests/sync/signing-out.test.ts",
      title: "when a guest signs in, the other tabs go on as who signed in",
    },
    why: "The guest's other tabs write to a storage that is gone.",
  },
  {
    name: "refused-writes-not-told-after-signing-in",
    rule: "rule 8",
    file: "packages/client/src/client.ts",
    find: "session.tellWrites(session.outbox.refused, false);",
    replace: "void session;",
    test: {
      file: "tests/sync/signing-out.test.ts",
      title: "what a tab wrote that had not heard of the signing in reaches the server by the tab that leads",
    },
    why: "A write stays pending in its tab for as long as that is open, and is gone with it.",
  },
  {
    name: "read-explained-as-write",
    rule: "§8",
    file: "packages/client/src/replica/replica.ts",
    find: "(failure ?? (writes.has(id) || opOn(event.ops ?? [], domain, key)))",
    replace: "(failure ?? (writes.has(id) || true))",
    test: {
      file: "tests/sync/explain.test.ts",
      title:
        "explain counts as own writes those that are to write a record, whether they can or not, and none that has only read it",
    },
    why: "Who asks why a record looks as it does is told of writes that have nothing to do with it.",
  },
];
