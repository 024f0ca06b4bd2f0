import type { Fault } from "./fault.js";

const lostRows = "packages/client/src/space/lost-rows.ts";
const recovery = "packages/client/src/space/recovery.ts";
const generations = (title: string): Fault["test"] => ({ file: "tests/faults/generations.test.ts", title });
const mending = "packages/client/src/space/mending.ts";
const mended = (title: string): Fault["test"] => ({
  file: "packages/client/src/space/mending.test.ts",
  title,
});
const recovered = (title: string): Fault["test"] => ({ file: "tests/sync/recovery.test.ts", title });

/** Repair of differences, and recovery of what a restored server has lost. */
export const recoveryFaults: readonly Fault[] = [
  {
    name: "fork-found-twice-in-one-answer",
    rule: "rule 3",
    file: recovery,
    find: "if (session.exchanges.askedAs === session.context.device()) {",
    replace: "{",
    test: {
      file: "tests/sync/clone.test.ts",
      title: "a copy that finds itself out in two spaces of one answer becomes one new device, and goes on",
    },
    why: "A copy becomes as many new devices as it has spaces, and a person is told as often.",
  },
  {
    name: "history-unknown-until-all-is-fetched",
    rule: "rule 12",
    file: "packages/client/src/space/exchanges.ts",
    find: "await this.#meet(staging.generation);",
    replace: "",
    test: {
      file: "tests/sync/first-contact.test.ts",
      title: "shows what had got through once, where the space was restored with it",
    },
    why: "Who wrote while the first fetch of a long space broke off sees it twice after a restore, or sends it to what was wiped.",
  },
  {
    name: "wipe-drops-pending",
    rule: "rule 8",
    file: recovery,
    find: "...items.map((item) => putItem(space, item)), putMeta(space, next),",
    replace: "putMeta(space, next),",
    test: generations("wiped: base goes, pending is parked, nothing is offered back"),
    why: "Unsynced edits go with the space that somebody wiped.",
  },
  {
    name: "wipe-keeps-stored-rows",
    rule: "rule 12",
    file: recovery,
    find: '{ type: "clear", table: "rows", space },',
    replace: "",
    test: generations("wiped: base goes, pending is parked, nothing is offered back"),
    why: "What was wiped is back after a restart.",
  },
  {
    name: "nothing-kept-aside",
    rule: "rule 12",
    file: recovery,
    find: "session.aside = { ...from, rows };",
    replace: "",
    test: generations("base is fetched again, what it lost is kept, what was pending goes on"),
    why: "What a restored server has lost is overwritten on the devices too.",
  },
  {
    name: "loss-judged-by-time",
    rule: "rule 12",
    file: lostRows,
    find: "if (row.version > at || now?.version === row.version) return !sameContent(now, row);",
    replace: "if (row.version < 0 && at < 0) return !sameContent(now, row);",
    test: generations("base is fetched again, what it lost is kept, what was pending goes on"),
    why: "A lost change goes unnoticed when somebody has changed the record since.",
  },
  {
    name: "loss-not-stored",
    rule: "rule 12",
    file: recovery,
    find: "const meta: ReplicaMeta = { ...session.meta, recovering };",
    replace: "const meta: ReplicaMeta = { ...session.meta };",
    test: recovered("a crash before base has been fetched again loses nothing of what was kept aside"),
    why: "A device that is turned off at the wrong moment forgets what only it had.",
  },
  {
    name: "second-restore-forgets-the-first",
    rule: "rule 12",
    file: recovery,
    find: "at: Math.min(before.at, now.at)",
    replace: "at: now.at",
    test: recovered("restored twice before the first recovery has ended: what both have lost is offered"),
    why: "What the first restore lost is not looked for any more.",
  },
  {
    name: "counters-offered-as-they-were",
    rule: "rule 12",
    file: lostRows,
    find: 'if (kindOf(field) !== "counter") set[field] = value;',
    replace: "if (field) set[field] = value;",
    test: recovered(
      "what only the clients have is offered back and merged, whoever comes first; what cannot be is told",
    ),
    why: "An increment that is sent again counts twice.",
  },
  {
    name: "difference-found-and-left",
    rule: "rule 10",
    file: mending,
    find: "if (count > 0) await session.apply(",
    replace: "if (count < 0) await session.apply(",
    test: generations("is found, reported and mended by itself"),
    why: "A damaged replica stays damaged.",
  },
  {
    name: "mending-takes-rows-above-the-cursor",
    rule: "rule 5",
    file: mending,
    find: "} else if (row.version <= cursor) {",
    replace: "} else if (row.version <= cursor + Number.MAX_SAFE_INTEGER) {",
    test: mended(
      "what lies above the cursor comes with the next pull, and what has changed here meanwhile is left alone",
    ),
    why: "A view shows one half of an atomic write.",
  },
  {
    name: "mending-undoes-what-came-meanwhile",
    rule: "rule 5",
    file: mending,
    find: "if (standing !== compared.get(key)) continue;",
    replace: "",
    test: mended(
      "what lies above the cursor comes with the next pull, and what has changed here meanwhile is left alone",
    ),
    why: "A late answer takes back what a delta had brought since.",
  },
  {
    name: "mending-takes-older-rows",
    rule: "rule 5",
    file: mending,
    find: "if (standing && standing.version > row.version) unsettled ??= key;",
    replace: "if (false) unsettled ??= key;",
    test: mended("a row of a higher version is never replaced: the server has lost history"),
    why: "What a server lost is taken from the last who have it.",
  },
  {
    name: "mending-drops-in-silence",
    rule: "rule 8",
    file: mending,
    find: "if (!standing.deleted) lost.push(standing);",
    replace: "",
    test: mended("a row that the server never had goes, and is kept for people"),
    why: "A record that a person saw as confirmed vanishes without a word.",
  },
  {
    name: "mending-for-ever",
    rule: "rule 10",
    file: "packages/client/src/space/repairs.ts",
    find: "if (repair.running || this.#stopped) return;",
    replace: "if (repair.running || this.#stopped) return; repair.tries = 0;",
    test: {
      file: "packages/client/src/space/repairs.test.ts",
      title:
        "what mending does not help is fetched again, and what that does not help is left, and told once",
    },
    why: "A fault of one server makes every client ask without end.",
  },
  {
    name: "history-of-heads-not-looked-at",
    rule: "rule 12",
    file: "packages/client/src/loop/tracked-space.ts",
    find: "if (parts) this.look();",
    replace: "",
    test: {
      file: "packages/client/src/loop/loop-socket.test.ts",
      title: "heads of another history than base's are asked about at once, however low they are",
    },
    why: "A server that came back from a backup gets back what it lost only after ten minutes, and takes new writes before that.",
  },
  {
    name: "heads-of-another-history-waited-for",
    rule: "rule 12",
    file: "packages/client/src/loop/loop.ts",
    find: "if (tracked.part(message.generations?.[space])) return;",
    replace: "tracked.part(message.generations?.[space]);",
    test: {
      file: "packages/client/src/loop/loop-socket.test.ts",
      title: "what heads or a delta of another history name is not waited for",
    },
    why: "A device asks over and over for what was before a wipe, and then says that it does not come further.",
  },
  {
    name: "named-before-the-history-was-lost",
    rule: "rule 12",
    file: "packages/client/src/loop/tracked-space.ts",
    find: "brings all that is.\n      this.#heads = {};",
    replace: "brings all that is.\n",
    test: {
      file: "packages/client/src/loop/loop-socket.test.ts",
      title: "what was named in a history that is no more is not waited for",
    },
    why: "After a wipe a device is not in step for seconds, and asks for what never comes.",
  },
  {
    name: "server-gone-and-nobody-looks",
    rule: "§8",
    file: "packages/client/src/loop/loop.ts",
    find: "if (doubtful) tracked.look();",
    replace: "",
    test: {
      file: "packages/client/src/loop/loop-socket.test.ts",
      title:
        "a server that is gone is found out at the first try in vain to have its socket again, not after the idle time",
    },
    why: "A device says for a minute that it is live although its server is gone.",
  },
  {
    name: "server-doubted-again-and-again",
    rule: "§8",
    file: "packages/client/src/loop/poke-line.ts",
    find: "this.#wasOpen && (reason.silent === true || !turned)",
    replace: "reason.silent === true || (this.#wasOpen && !turned)",
    test: {
      file: "packages/client/src/loop/poke-line.test.ts",
      title: "where a socket is taken and never welcomed, the server is not doubted again and again",
    },
    why: "Behind a proxy that takes sockets and passes nothing on, a device asks the server for nothing all day.",
  },
];
