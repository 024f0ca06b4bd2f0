import type { Fault } from "./fault.js";

const session = "packages/client/src/space/space-session.ts";
const otherTabs = "packages/client/src/space/other-tabs.ts";
const test = (title: string): Fault["test"] => ({ file: "tests/sync/tabs.test.ts", title });
const full = (title: string): Fault["test"] => ({ file: "tests/sync/tabs-full-disk.test.ts", title });
const local = (title: string): Fault["test"] => ({ file: "tests/sync/local-records.test.ts", title });
const creating = (title: string): Fault["test"] => ({ file: "tests/sync/creating.test.ts", title });
const toldLate = test("a write that its tab tells of only when it was settled is shown once by all");

/** Mistakes of what tabs tell each other, and of when it is heard. */
export const tabFaults: readonly Fault[] = [
  {
    name: "older-version-goes-on-leading",
    rule: "§8",
    file: "packages/client/src/tabs/tab-group.ts",
    find: "if (schema >= this.#schema || this.#isOvertaking) return;",
    replace: "return;",
    test: {
      file: "tests/sync/versions.test.ts",
      title:
        "the newer one takes the lead; the older one shows what it had, says that it is outdated, and its writes get through",
    },
    why: "A tab that nobody has loaded since the update keeps all others from syncing.",
  },
  {
    name: "misspelt-query-answered-with-everything",
    rule: "§8",
    file: "packages/schema/src/query.ts",
    find: "if (!options.includes(option))",
    replace: "if (!option)",
    test: {
      file: "tests/sync/beginner-mistakes.test.ts",
      title:
        "in the options of a query is refused with those that there are, and is not answered with all there is",
    },
    why: "An app that misspells its where shows, and perhaps deletes, all records.",
  },
  {
    name: "signing-out-waits-for-itself",
    rule: "§8",
    file: "packages/client/src/client.ts",
    find: "this.#ports.notes) this.#session.giveUp();",
    replace: "this.#ports.notes) this.#session;",
    test: {
      file: "tests/sync/signing-out.test.ts",
      title: "ends, and so does the signing in that asked",
    },
    why: "An app that signs out where it finds that there is no token any more waits for ever.",
  },
  {
    name: "signed-out-elsewhere-waits-for-a-login-form",
    rule: "rule 8",
    file: "packages/client/src/client.ts",
    find: "this.#session.giveUp();\n    return this.#turns.run(() => this.#leaveAccount());",
    replace: "return this.#turns.run(() => this.#leaveAccount());",
    test: {
      file: "tests/sync/signing-out.test.ts",
      title:
        "rule 8: no other tab shows anything of the account from then on, also one that waits for a login form",
    },
    why: "In a tab with an open login form, what somebody signed out of stays in view for whoever comes next.",
  },
  {
    name: "space-wished-for-while-signed-out",
    rule: "§8",
    file: "packages/client/src/client.ts",
    find: "if (this.#isWished(session.space)) await session.wish();",
    replace: "",
    test: creating("is, though its account signed out before it ever was, and came back"),
    why: "What is written in a space that was opened before signing in waits on the device until the app starts again.",
  },
  {
    name: "space-wished-for-forgotten-with-the-leader",
    rule: "§8",
    file: "packages/client/src/client.ts",
    find: "if (isWish) this.#wished.set(space, this.#opened.account);",
    replace: "",
    test: creating("and the one that leads next has it open"),
    why: "What is written in a new space waits on the device until the app starts again.",
  },
  {
    name: "next-leader-not-told-what-is-open",
    rule: "rule 8",
    file: "packages/client/src/client.ts",
    find: "if (!Object.hasOwn(status.spaces, space)) this.#tellOpened(space);",
    replace: "void space;",
    test: test(
      "a space that only one tab has open is synced by whoever leads next, though it is another tab",
    ),
    why: "After a tab was closed, another one shows a space as it was, until something is written in it.",
  },
  {
    name: "space-wished-for-by-another",
    rule: "rule 8",
    file: "packages/client/src/client.ts",
    find: "return this.#wished.get(space) === account;",
    replace: "return this.#wished.has(space);",
    test: creating(
      "is not created for another account, which would keep its own out, unless the app opens it for that",
    ),
    why: "A space becomes that of whoever signs in next, and what its own account has written waits for ever.",
  },
  {
    name: "local-records-of-the-account-before",
    rule: "rule 8",
    file: "packages/client/src/space/local-records.ts",
    find: "[...differingRows(replica.baseRows(domain), rows.get(domain))]",
    replace: "[...(rows.get(domain) ?? [])]",
    test: {
      file: "tests/sync/account.test.ts",
      title: "rule 8: are those of who is signed in, and are there again when they come back",
    },
    why: "Who signs in on a shared device sees what somebody else wrote for themselves alone.",
  },
  {
    name: "local-records-are-not-read-again",
    rule: "§8",
    file: otherTabs,
    find: "session.local.replace(stored.local, isOtherAccount);",
    replace: "if (isOtherAccount) session.local.replace(stored.local, isOtherAccount);",
    test: local("shows what others have written of the device's own, and tells only of what differs"),
    why: "A tab that slept shows a draft as it was, and writes over what another tab has made of it.",
  },
  {
    name: "local-write-undone-by-a-reading",
    rule: "rule 8",
    file: "packages/client/src/space/local-records.ts",
    find: "await this.#reading;",
    replace: "",
    test: local("keeps what is written in it while it reads the storage"),
    why: "What somebody types into a tab that wakes vanishes from under the cursor.",
  },
  {
    name: "local-write-on-its-way-hidden",
    rule: "§8",
    file: "packages/client/src/space/local-records.ts",
    find: "if (own) continue;",
    replace: "",
    test: local("what another tab wrote, an own write shows until it is, and from then on what is stored"),
    why: "What somebody has just typed gives way to what another tab wrote before it.",
  },
  {
    name: "local-news-taken-on-trust",
    rule: "§8",
    file: "packages/client/src/space/local-records.ts",
    find: 'storage.get("local", space, domain, key) as Promise<LocalRow | undefined>',
    replace: "heard.find(([, row]) => row.domain === domain && row.key === key)?.[1]",
    test: local("what another tab wrote, an own write shows until it is, and from then on what is stored"),
    why: "A draft that two tabs write at once shows otherwise than it is stored, until the page is loaded again.",
  },
  {
    name: "local-stamps-of-other-tabs-not-observed",
    rule: "rule 6",
    file: "packages/client/src/space/local-records.ts",
    find: "this.#session.observe(records);",
    replace: "",
    test: local("what a tab writes over a record of the device's own wins over what it has heard of it"),
    why: "In a tab whose clock is behind the leader's, nothing that is written over a draft comes of it.",
  },
  {
    name: "late-news-judged-by-the-storage",
    rule: "rule 5",
    file: otherTabs,
    find: "if (isStored && revision < this.#readAt) {",
    replace: "if (isStored) {",
    test: test("a tab that wakes shows what was written first before what was written later"),
    why: "A tab that wakes shows what was written on a record without what was written on it before.",
  },
  {
    name: "space-read-in-pieces",
    rule: "rule 5",
    file: "packages/client/src/space/space-store.ts",
    find: "await storage.snapshot(tables, space)",
    replace: "await Promise.all(tables.map((table) => storage.entries(table, space)))",
    test: {
      file: "packages/client/src/space/space-store.test.ts",
      title: "a space is read as it stood at one moment",
    },
    why: "A tab that opens while another one stores a cut shows rows of after it beside cursors and writes of before.",
  },
  {
    name: "late-news-taken-on-trust",
    rule: "rule 3",
    file: otherTabs,
    find: "if (isStored && revision < this.#readAt) {",
    replace: "if (isStored && revision < 0) {",
    test: toldLate,
    why: "A counter shows too much in a tab that opened before another one woke.",
  },
  {
    name: "settled-write-forgotten",
    rule: "rule 3",
    file: "packages/client/src/space/outbox.ts",
    find: " || this.#settled.has(id)",
    replace: "",
    test: toldLate,
    why: "A counter shows too much in every tab, and a write is sent again, when the tab that made it wakes.",
  },
  {
    name: "settled-write-told",
    rule: "rule 3",
    file: session,
    find: "const events = told.filter(({ id }) => this.outbox.get(id));",
    replace: "const events = told;",
    test: toldLate,
    why: "A counter shows too much in a tab that opened before another one woke.",
  },
  {
    name: "settled-by-a-cut-that-was-read",
    rule: "rule 9",
    file: otherTabs,
    find: "if (!outbox.remember(news.settlement.settled) && steps < 1) return;",
    replace: "outbox.remember(news.settlement.settled); if (steps < 1) return;",
    test: full("a tab learns what became of its write that no storage had room for also from a cut"),
    why: "A write that the disk had no room for is pending for ever in a tab that slept.",
  },
  {
    name: "read-ahead-of-the-news",
    rule: "rule 5",
    file: otherTabs,
    find: "for (const id of this.#over.keys()) gone.add(id);",
    replace: "",
    test: full(
      "a tab that reads a storage which is ahead shows its write that this had no room for once, and learns what became of it",
    ),
    why: "A counter shows too much in a tab that wakes, until it hears of the cut that has settled its write.",
  },
  {
    name: "settled-elsewhere-forgotten",
    rule: "rule 3",
    file: otherTabs,
    find: "for (const id of this.#over.keys()) gone.add(id);",
    replace: "for (const id of this.#over.keys()) if (this.#session.outbox.get(id)) gone.add(id);",
    test: full("a write that no storage had room for, and that a"),
    why: "A counter shows too much in a tab that opened while a write was on its way that no disk had room for.",
  },
  {
    name: "seq-from-memory-given-again",
    rule: "rule 3",
    file: "packages/client/src/space/requests.ts",
    find: "} else session.outbox.nextSeq = nextSeq;",
    replace: "}",
    test: full("a seq that a leader gave from memory is not given again when what had it is settled"),
    why: "The server takes a device for a copy of itself, and all of its outboxes are numbered anew.",
  },
  {
    name: "late-expectation-of-what-was-settled",
    rule: "rule 7",
    file: "packages/client/src/space/outbox.ts",
    find: "return seq === undefined ? this.#settled.get(id) : { seq };",
    replace: "return seq === undefined ? undefined : { seq };",
    test: {
      file: "packages/client/src/space/outbox.test.ts",
      title:
        "what expects a write that was settled just before it joined expects the version which that made",
    },
    why: "A restore that was written while the answer to its own delete was stored is refused.",
  },
  {
    name: "number-of-a-tab-without-room-not-stored",
    rule: "rule 3",
    file: "packages/client/src/space/outbox.ts",
    find: "if (entry.loose || !entry.stored) numbered.push(entry.event);",
    replace: "if (entry.loose) numbered.push(entry.event);",
    test: {
      file: "packages/client/src/space/outbox.test.ts",
      title:
        "a number that another tab gave, and had no room to store, is stored with those after it, and not given again",
    },
    why: "After a crash a number is missing before others that were stored, and the server's history passes for lost.",
  },
  {
    name: "fork-leaves-out-what-nobody-told",
    rule: "rule 3",
    file: "packages/client/src/space/recovery.ts",
    find: "for (const session of sessions) await session.joinStored();",
    replace: "",
    test: {
      file: "tests/sync/clone.test.ts",
      title:
        "a tab that finds the installation copied gives away a write too that another tab stored and never told of",
    },
    why: "The write is refused as somebody else's, though the copy has sent it, and trying it again counts twice.",
  },
];
