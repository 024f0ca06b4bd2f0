import type { Fault } from "./fault.js";

const retention = "packages/server/src/operations/retention.ts";
const transaction = "packages/server/src/storage/sqlite-transaction.ts";
const records = "packages/server/src/operations/verify-records.ts";
const history = "packages/server/src/operations/verify-history.ts";

const runEvent = "packages/server/src/exchange/run-event.ts";

const kept = (title: string): Fault["test"] => ({
  file: "packages/server/src/operations/retention.test.ts",
  title,
});
const found = (title: string): Fault["test"] => ({
  file: "packages/server/src/storage/verify-file.test.ts",
  title,
});
const upgraded = (title: string): Fault["test"] => ({
  file: "packages/server/src/apply/upgrade.test.ts",
  title,
});
const forgottenDeletes = "packages/client/src/replica/forgotten-deletes.ts";
const forgotten = (title: string): Fault["test"] => ({ file: "tests/sync/retention.test.ts", title });
const seen =
  "whoever has seen the newest delete that went is not reset, whoever has not is, and is reset once";

const broughtBack =
  "a restore that expects a tombstone which is gone brings the key back, and expects no other version";

const stoppedRestore = "rule 8: that is stopped in its middle, or finds no room, leaves everything as it was";

/** Mistakes in what runs beside the exchange: retention, verification, restores. */
export const operationsFaults: readonly Fault[] = [
  {
    name: "stopped-verification-is-damage",
    rule: "rule 8",
    file: "packages/server/src/storage/verify-file.ts",
    find: "if (brokenOff) throw brokenOff.by;",
    replace: "",
    test: { file: "packages/server/src/storage/backup-file.test.ts", title: stoppedRestore },
    why: "Ctrl-C calls a sound backup damaged, and whoever has no other gives it up.",
  },
  {
    name: "horizon-one-too-low",
    rule: "rule 7",
    file: transaction,
    find: ".run(upTo, this.#domain(domain));",
    replace: ".run(upTo - 1, this.#domain(domain));",
    test: kept(seen),
    why: "Who was away since just before the delete keeps the record for ever.",
  },
  {
    name: "horizon-that-stays",
    rule: "rule 7",
    file: transaction,
    find: "SET horizon=max(horizon, ?)",
    replace: "SET horizon=min(horizon, ?)",
    test: kept("are kept for as long as is said and not longer; the horizon is the newest that went"),
    why: "Deletes are gone, and nobody is told to read anew.",
  },
  {
    name: "forgotten-delete-for-ever",
    rule: "rule 7",
    file: runEvent,
    find: "const restore = restoreIn(event, domain, key);",
    replace: "const restore = undefined as Op | undefined;",
    test: kept(broughtBack),
    why: "Who was there all the time sees a deleted record that can never be had back.",
  },
  {
    name: "horizons-not-said",
    rule: "rule 7",
    file: "packages/server/src/exchange/read-space.ts",
    find: "if (horizon > 0) horizons",
    replace: "if (horizon < 0) horizons",
    test: forgotten("in memory and as stored; a later one stays"),
    why: "A device keeps every delete that it ever heard of.",
  },
  {
    name: "newer-deletes-forgotten",
    rule: "rule 7",
    file: forgottenDeletes,
    find: "version > horizon",
    replace: "version < 0",
    test: forgotten("in memory and as stored; a later one stays"),
    why: "A delete that was a minute ago cannot be undone.",
  },
  {
    name: "forgotten-under-a-pending-event",
    rule: "rule 7",
    file: forgottenDeletes,
    find: "if (replica.pendingOf(domain, key).length === 0) keys",
    replace: "keys",
    test: forgotten("one that a pending event stands on stays"),
    why: "A record that was brought back vanishes again until the server has said so.",
  },
  {
    name: "restore-of-any-version",
    rule: "rule 7",
    file: runEvent,
    find: "wanted !== undefined && wanted <= batch.horizonOf(domain)",
    replace: "wanted !== undefined",
    test: kept(broughtBack),
    why: "A version that never was counts as a delete that was seen.",
  },
  {
    name: "reset-at-the-horizon",
    rule: "rule 7",
    file: "packages/server/src/exchange/read-space.ts",
    find: "(begun ?? cursor) <",
    replace: "(begun ?? cursor) <=",
    test: kept(seen),
    why: "A space whose newest change was a delete is fetched whole with every exchange, for ever.",
  },
  {
    name: "deletes-cleared-before-their-time",
    rule: "rule 7",
    file: retention,
    find: "modifiedAt <= before",
    replace: "modifiedAt !== before",
    test: kept("are kept for as long as is said and not longer; the horizon is the newest that went"),
    why: "Everybody who was away for an hour fetches everything.",
  },
  {
    name: "outcomes-swept-above-acked",
    rule: "rule 3",
    file: retention,
    find: "expired: writer.seenAt <= before ? acked : writer.expired",
    replace: "expired: writer.seenAt <= before ? writer.lastSeq : writer.expired",
    test: kept(
      "of a device that was not heard of for long go as far as it has acknowledged them, and no further",
    ),
    why: "A device that comes back after a month never learns that its write was rejected.",
  },
  {
    name: "acked-beyond-what-was-sent",
    rule: "rule 3",
    file: retention,
    find: "Math.min(said, writer.lastSeq)",
    replace: "said",
    test: kept(
      "of a device that went quiet go too where it acknowledged them by reading alone, whatever the server's memory of it",
    ),
    why: "A device that says too much loses the outcomes of what it writes next.",
  },
  {
    name: "restored-from-the-beginning",
    rule: "rule 12",
    file: "packages/server/src/operations/restored-generation.ts",
    find: "at: state.head,",
    replace: "at: 0,",
    test: {
      file: "packages/server/src/operations/restored-generation.test.ts",
      title:
        "every space gets a generation of its own that says restored, its parent, and the head of the copy",
    },
    why: "Clients offer back every record that they hold, deleted ones too.",
  },
  {
    name: "upgrade-that-forgets-what-is-done",
    rule: "§5.2",
    file: "packages/server/src/apply/upgrade.ts",
    find: "return steps.findLast(([above]) => row.version > above)?.[1] ?? from;",
    replace: "return from;",
    test: upgraded(
      "that was left in its middle by one schema is brought to the next, each row by what it still lacks",
    ),
    why: "A migration that adds or renames is done twice to half of the records.",
  },
  {
    name: "write-in-the-middle-of-an-upgrade",
    rule: "§5.2",
    file: "packages/server/src/exchange/handle-events.ts",
    find: "return upgradeUnderWay(state)",
    replace: "return upgradeUnderWay(state) && false",
    test: upgraded(
      "that was left in its middle is gone on with; a server without the schema writes nothing to it meanwhile",
    ),
    why: "How far the upgrade was is forgotten, and the rest of the records stays in the old shape for ever.",
  },
  {
    name: "verification-trusts-the-digest",
    rule: "rule 10",
    file: records,
    find: "|| digest.sum !== sum",
    replace: "",
    test: found("finds one bit that turned in a value"),
    why: "A value that changed on the disk is backed up and served.",
  },
  {
    name: "verification-forgets-the-last-outcome",
    rule: "rule 3",
    file: history,
    find: "if (writer && writer.lastSeq !== last)",
    replace: "if (writer && writer.lastSeq < last)",
    test: found("finds that the newest outcome of a device went, with its id"),
    why: "A write whose record was lost is applied again, and nobody knew.",
  },
];
