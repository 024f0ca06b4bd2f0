import type { Fault } from "./fault.js";

const session = "packages/client/src/space/space-session.ts";
const exchanges = "packages/client/src/space/exchanges.ts";
const sync = (title: string): Fault["test"] => ({ file: "tests/sync/versions.test.ts", title });
const outdated = (title: string): Fault["test"] => ({ file: "tests/sync/outdated.test.ts", title });
const overAndLeads =
  "shows what was written in it and is over, also once it leads; that does not count as pending, and it can sign out";
const base = {
  file: "packages/client/src/replica/rows-schema.test.ts",
  title:
    "base is of an answer's version once its rows are there; of an older one only where all of it is anew",
};
const upgraded = (title: string): Fault["test"] => ({
  file: "packages/server/src/apply/upgrade.test.ts",
  title,
});
const updatedOffline =
  "reads what the device holds as its version has it, and writes over it, without a server; then all agree";
const leftBehind =
  "takes nothing in that it cannot read, says so, keeps what it has and what is written, and goes on once it is updated";

/** What goes wrong easily where apps and servers of several schema versions meet. */
export const versionFaults: readonly Fault[] = [
  {
    name: "base-version-before-its-rows",
    rule: "rule 5",
    file: session,
    find: "await this.commit(changes); this.meta = next;",
    replace:
      "await this.commit([putMeta(this.space, { ...this.meta, schema })]); await this.commit(changes); this.meta = next;",
    test: sync("shows what it has as it was, where what the server has brought over cannot be stored"),
    why: "After a crash between the two, every record shows in the old shape under the new types.",
  },
  {
    name: "base-version-that-never-moves",
    rule: "§5.2",
    file: "packages/client/src/replica/rows-schema.ts",
    find: "? before : asKnown(schema, before);",
    replace: "? before : (before ?? schema);",
    test: base,
    why: "Rows that the server has migrated are migrated once more on the device.",
  },
  {
    name: "base-version-back-without-its-rows",
    rule: "rule 12",
    file: "packages/client/src/replica/rows-schema.ts",
    find: "return isOlder && !domains.every((domain) => reset.includes(domain)) ? before : asKnown(schema, before);",
    replace: "return schema;",
    test: base,
    why: "Rows of the newer version, which still stand, are migrated a second time.",
  },
  {
    name: "readable-from-forgotten",
    rule: "§5.2",
    file: "packages/client/src/replica/rows-schema.ts",
    find: "? before : asKnown(schema, before);",
    replace: "? before : schema;",
    test: sync("goes on being read by an app that had read what a newer one only added to"),
    why: "After a server has gone back, every app of its own version stops, though it reads all rows.",
  },
  {
    name: "migrated-twice",
    rule: "§5.2",
    file: "packages/client/src/replica/replica.ts",
    find: "this.#overlay.get(domain)?.get(key) ?? this.#present(this.#base.get(domain)?.get(key)),",
    replace:
      "this.#overlay.get(domain)?.get(key) ?? this.#present(this.#present(this.#base.get(domain)?.get(key))),",
    test: sync("shows a record as it is where its migration fails, and says so once"),
    why: "What is written over a record stands on values that nobody ever had.",
  },
  {
    name: "rebase-over-raw-rows",
    rule: "§5.2",
    file: "packages/client/src/replica/rebase.ts",
    find: "return written ?? this.present(row(domain, key));",
    replace: "return written ?? row(domain, key);",
    test: sync(updatedOffline),
    why: "An action reads the old fields, and decides on what is not there.",
  },
  {
    name: "digest-of-what-shows",
    rule: "rule 10",
    file: session,
    find: "current: (domain, key) => this.replica.baseRow(domain, key), }); this.repairs",
    replace:
      "current: (domain, key) => this.replica.present(this.replica.baseRow(domain, key)), }); this.repairs",
    test: sync("reads the rows of a server that is not, and their digests agree; its writes wait"),
    why: "Every updated device finds a difference that is none, and fetches everything again.",
  },
  {
    name: "offers-in-the-old-shape",
    rule: "rule 12",
    file: "packages/client/src/space/recovery.ts",
    find: "rows.push(session.replica.present(row) as Row);",
    replace: "rows.push(row);",
    test: sync("rows of an older version are offered back as the server has them now"),
    why: "What a server lost is refused by it, or comes back with fields that nobody reads.",
  },
  {
    name: "offers-of-a-version-that-is-gone",
    rule: "rule 12",
    file: "packages/client/src/space/recovery.ts",
    find: "Math.min(session.meta.schema?.version ?? 0, cut.schema?.version ?? 0);",
    replace: "session.meta.schema?.version ?? 0;",
    test: sync(
      "rule 12: of what an older app had read of it refuses what it cannot take, and goes on with what is written",
    ),
    why: "The server refuses the whole request, and all that is written waits behind it for good.",
  },
  {
    name: "local-records-migrated-again",
    rule: "§5.2",
    file: "packages/client/src/space/domain-handle.ts",
    find: "schema: context.schemaVersion ?? 1,",
    replace: "schema: 1,",
    test: sync(
      "show in each version as it has them; what a newer app has written an older one leaves alone, and says so",
    ),
    why: "Drafts and settings of the device are spoilt a little more at every start.",
  },
  {
    name: "news-of-a-space-that-is-being-opened",
    rule: "rule 8",
    file: "packages/client/src/client.ts",
    find: "this.#sessions.get(space) ?? (await opening);",
    replace: "this.#sessions.get(space) ?? (this.#tabs.term === undefined ? undefined : await opening);",
    test: sync("neither writes over what the other has written of the device's own"),
    why: "A tab shows a draft as it was before another one changed it, and writes that over it.",
  },
  {
    name: "inbox-in-the-old-shape",
    rule: "rule 9",
    file: session,
    find: "this.inbox.set(item.id, this.context.migrateItem(item));",
    replace: "this.inbox.set(item.id, item);",
    test: sync("what an older app put into the inbox is written again as this one has it"),
    why: "A copy of what was refused has fields that the server refuses again.",
  },
  {
    name: "lost-value-under-its-old-name",
    rule: "rule 9",
    file: "packages/client/src/space/settlement.ts",
    find: "names(op, recorded) ? recorded : (fieldNow(event, domain, recorded) ?? recorded);",
    replace: "recorded;",
    test: sync(
      "rules 8 and 9: a value that lost before both were updated can be written again, its answer having been lost",
    ),
    why: "The inbox says that a field lost which no record has, and what was written is nowhere.",
  },
  {
    name: "item-of-no-version",
    rule: "rule 9",
    file: "packages/client/src/adopt.ts",
    find: "schema === undefined ? item : { ...item, schema }",
    replace: "item",
    test: sync(
      "rule 9: what was written as a guest of an older app, and not adopted, is kept as this one has it",
    ),
    why: "What was written before signing in cannot be written again once the app is updated.",
  },
  {
    name: "unreadable-rows-taken-in",
    rule: "§5.2",
    file: exchanges,
    find: "if (session.outdated === undefined && !this.#isBlind) this.#staging",
    replace: "if (!this.#isBlind) this.#staging",
    test: sync(leftBehind),
    why: "An old app reads records that lack what its types promise, and says that all is well.",
  },
  {
    name: "outdated-that-says-live",
    rule: "§5.2",
    file: "packages/client/src/loop/tracked-space.ts",
    find: 'if (outdated !== undefined) return this.stop("outdated", outdated);',
    replace: "",
    test: {
      file: "packages/client/src/loop/stopped.test.ts",
      title:
        "a space whose rows the app cannot read is outdated, and asked again every five minutes and when somebody syncs",
    },
    why: "Nothing new ever comes, and the app says that it is in step.",
  },
  {
    name: "outcomes-without-their-rows",
    rule: "rule 5",
    file: exchanges,
    find: "if (session.outdated === undefined && !this.#isBlind) this.#staging",
    replace: "if (session.outdated === undefined) this.#staging",
    test: sync("is read again by an app that it had left behind"),
    why: "Of a request that asked for no rows a cut is made, in which own writes count as seen.",
  },
  {
    name: "rows-for-who-cannot-read-them",
    rule: "§5.2",
    file: exchanges,
    find: "this.#isBlind = session.outdated !== undefined;",
    replace: "this.#isBlind = false;",
    test: sync(leftBehind),
    why: "An app that waits for its update fetches all that it cannot read every five minutes.",
  },
  {
    name: "history-that-an-old-app-never-meets",
    rule: "rule 12",
    file: exchanges,
    find: "if (meta.generation === undefined) await this.#meet(this.#unread);",
    replace: "",
    test: sync(
      "rule 12: and knows, on a new device too, that the space was wiped, so that nothing of it comes back",
    ),
    why: "What everybody wanted gone comes back from a device whose app is too old.",
  },
  {
    name: "recovery-over-a-base-that-is-not-read",
    rule: "rule 12",
    file: exchanges,
    find: "unreadable(asKnown(rowsSchema(head), schema), schemaVersion) ?? unreadable(schema, schemaVersion);",
    replace: "unreadable(asKnown(rowsSchema(head), schema), schemaVersion);",
    test: sync("what a newer app has stored of it an older one leaves to that"),
    why: "What only this device has of a history that a server lost is written over.",
  },
  {
    name: "older-tab-takes-a-cut-it-cannot-read",
    rule: "§5.2",
    file: "packages/client/src/space/other-tabs.ts",
    find: "if (this.#cannotRead(news)) return this.#leaveOut(news, steps > 1);",
    replace: "",
    test: sync("where the newer one leads, the older one is told, and what it writes gets through"),
    why: "Whoever works in a tab that was left open sees records of which half is missing.",
  },
  {
    name: "report-in-the-middle-of-reading",
    rule: "§5.2",
    file: "packages/client/src/space/schema-rules.ts",
    find: "queueMicrotask(() => failed(row, brought.message));",
    replace: "failed(row, brought.message);",
    test: outdated("is reported once, apart from what read it, to one who reads it again then"),
    why: "A listener of the app runs in the middle of a step, and may read and write there.",
  },
  {
    name: "local-record-of-a-newer-tab-that-stays",
    rule: "§5.2",
    file: "packages/client/src/space/local-records.ts",
    find: "[...rows.map(({ domain, key }) => ({ domain, key })), ...readable]",
    replace: "readable",
    test: outdated("does not show a record of the device's own that a newer one has written"),
    why: "A draft shows as it was before it was changed in another tab, and cannot be written any more.",
  },
  {
    name: "settled-in-an-older-tab-counts-on",
    rule: "§5.2",
    file: "packages/client/src/space/other-tabs.ts",
    find: "session.outbox.removeAll(settled);",
    replace: "",
    test: outdated(overAndLeads),
    why: "A tab that was left open says for ever that writes wait, and nobody can sign out in it.",
  },
  {
    name: "settled-in-an-older-tab-shows-as-pending",
    rule: "§5.2",
    file: "packages/client/src/space/other-tabs.ts",
    find: "session.replica.confirm(settled.keys());",
    replace: "",
    test: outdated(overAndLeads),
    why: "A record that the server has is marked as waiting in a tab that was left open.",
  },
  {
    name: "settled-unheard-in-an-older-tab-shows-as-pending",
    rule: "§5.2",
    file: session,
    find: "this.replica.confirm(ids.filter(isOver));",
    replace: "",
    test: {
      file: "tests/sync/outdated-refusals.test.ts",
      title: "of one that was settled while it heard nothing it learns from the next cut",
    },
    why: "A record that the server has is marked as waiting in a tab that slept.",
  },
  {
    name: "rows-of-the-account-before-that-stay",
    rule: "rule 8",
    file: "packages/client/src/space/other-tabs.ts",
    find: "hasBase || !(isReadable || isOtherAccount) ?",
    replace: "hasBase || !isReadable ?",
    test: outdated("shows nothing of the account before"),
    why: "Who signs in on a shared device reads what the one before had, where the app is not updated.",
  },
  {
    name: "older-tab-that-leads-forgets-what-it-showed",
    rule: "rule 5",
    file: session,
    find: "const isOlder = this.outdated !== undefined && patch.size === 0;",
    replace: "const isOlder = false;",
    test: outdated(overAndLeads),
    why: "What was written in a tab vanishes from it when the newer one is closed, though the server has it.",
  },
  {
    name: "delta-of-another-version",
    rule: "§6.1",
    file: "packages/client/src/space/delta-cut.ts",
    find: "if (message.schema !== schema?.version) return undefined;",
    replace: "",
    test: {
      file: "packages/client/src/space/delta-cut.test.ts",
      title:
        "a delta is applied only to a base whose rows are in its version; with any other an exchange follows",
    },
    why: "One row of a newer version lies among those of the old one, and is migrated again.",
  },
  {
    name: "drop-that-counts-as-an-addition",
    rule: "§5.2",
    file: "packages/schema/src/migrate.ts",
    find: "!fields && drop.length === 0 && isEmpty(rename)",
    replace: "!fields && isEmpty(rename)",
    test: {
      file: "packages/schema/src/migrate.test.ts",
      title: "none from before a rename, a drop, a map or a function",
    },
    why: "An app that counts on a field goes on without it, and is told that all is well.",
  },
  {
    name: "pages-of-two-versions",
    rule: "§5.2",
    file: "packages/server/src/exchange/exchange.ts",
    find: "} else if (result.reset.length > 0 || result.state.schema !== head.state.schema) {",
    replace: "} else if (result.reset.length > 0) {",
    test: upgraded("an answer whose rows are brought to a newer version between two of its pages ends there"),
    why: "What the answer said of its rows at the start is not true of those at its end.",
  },
  {
    name: "reading-in-the-middle-of-an-upgrade",
    rule: "§5.2",
    file: "packages/server/src/exchange/read-space.ts",
    find: "if (upgradeUnderWay(state)) return",
    replace: "if (false) return",
    test: upgraded(
      "that was left in its middle is gone on with; a server without the schema writes nothing to it meanwhile",
    ),
    why: "Rows of two versions are read as if all were of the newer one.",
  },
];
