import type { Fault } from "./fault.js";

const readSpace = "packages/server/src/exchange/read-space.ts";
const ownEcho = "packages/server/src/exchange/own-echo.ts";
const handleEvents = "packages/server/src/exchange/handle-events.ts";
const runEvent = "packages/server/src/exchange/run-event.ts";
const applyOp = "packages/server/src/apply/apply-op.ts";
const batch = "packages/server/src/apply/space-batch.ts";
const snapshot = "packages/server/src/storage/sqlite-snapshot.ts";
const group = "packages/server/src/storage/group-commit.ts";

const world = {
  file: "tests/faults/exchange.test.ts",
  title: "every view is a consistent cut, every write counts once, and all agree in the end",
};
const once = (title: string): Fault["test"] => ({ file: "tests/faults/idempotency.test.ts", title });
const pages = (title: string): Fault["test"] => ({ file: "tests/faults/paging.test.ts", title });
const disk = (title: string): Fault["test"] => ({ file: "tests/faults/durability.test.ts", title });

const offered = (title: string): Fault["test"] => ({
  file: "packages/server/src/exchange/offers.test.ts",
  title,
});
const compared = (title: string): Fault["test"] => ({
  file: "packages/server/src/exchange/reconcile.test.ts",
  title,
});
const socketExchange = (title: string): Fault["test"] => ({
  file: "packages/server/src/hub/socket-exchange.test.ts",
  title,
});

export const serverFaults: readonly Fault[] = [
  {
    name: "member-who-stays",
    rule: "§15",
    file: "packages/server/src/access/user-id.ts",
    find: '!id.includes("\\0")',
    replace: "true",
    test: {
      file: "packages/server/src/access/access.test.ts",
      title: "whoever could not be removed again is no member: an id is text, and SQLite gives it back whole",
    },
    why: "A member whose id SQLite cuts off can read for ever.",
  },
  {
    name: "audience-that-is-not-looked-at",
    rule: "§10",
    file: "packages/server/src/auth/jwt.ts",
    find: "if (Object.hasOwn(options, name) &&",
    replace: "if (!Object.hasOwn(options, name) &&",
    test: {
      file: "packages/server/src/auth/auth.test.ts",
      title: "will not start where a check is named and not given, or misspelt",
    },
    why: "With a variable that is not set, tokens made for another service sign people in.",
  },
  {
    name: "no-answer-that-lets-in",
    rule: "§5.2",
    file: runEvent,
    find: 'if (typeof allowed !== "boolean")',
    replace: 'if (typeof allowed === "function")',
    test: {
      file: "packages/server/src/exchange/actions.test.ts",
      title: "has not decided: the event is deferred, and nobody is let through by a forgotten return",
    },
    why: "A rule with a forgotten return lets everybody do everything.",
  },
  {
    name: "index-of-a-counter",
    rule: "§8",
    file: "packages/server/src/apply/domain-rules.ts",
    find: 'if (!isFound && domain.fieldKind(field) === "lww")',
    replace: "if (!isFound)",
    test: {
      file: "packages/server/src/apply/queries.test.ts",
      title: "§8: an answer by an index is that of a look at every record, of stored and of unstored ones",
    },
    why: "An action does not find a record whose counter nobody has counted yet, though it reads as 0.",
  },
  {
    name: "first-device-of-a-fork-not-kept",
    rule: "rule 3",
    file: "packages/server/src/exchange/handle-events.ts",
    find: "[known.device, known.was].some(",
    replace: "[known.device].some(",
    test: {
      file: "packages/server/src/exchange/idempotency.test.ts",
      title:
        "a copy that was found forked twice gets its outcome, whichever of its devices the event was known under",
    },
    why: "What a person wrote stands in the space, and lies in their inbox as refused for good.",
  },
  {
    name: "pages-split-a-version",
    rule: "rule 5",
    file: snapshot,
    find: "if (found[0] !== rows.at(-1)?.version) break;",
    replace: "break;",
    test: pages("a page never ends inside a version"),
    why: "An app sees half of an atomic write, and the other half never comes.",
  },
  {
    name: "reset-judged-in-the-middle-of-a-scan",
    rule: "rule 5",
    file: readSpace,
    find: "(begun ?? cursor) <",
    replace: "cursor <",
    test: pages("a long first sync comes to its end although deletes are cleared away meanwhile"),
    why: "A first sync that takes longer than deletes are kept begins anew for ever.",
  },
  {
    name: "scan-never-judged",
    rule: "rule 7",
    file: readSpace,
    find: "(begun ?? cursor) <",
    replace: "(begun === undefined ? cursor : head) <",
    test: pages("a scan that began before the horizon begins anew, or it would miss a delete"),
    why: "A record that was deleted during a first sync stays for ever.",
  },
  {
    name: "finished-cursor-never-judged",
    rule: "rule 7",
    file: readSpace,
    find: "(begun ?? cursor) <",
    replace: "(begun ?? head) <",
    test: world,
    why: "Who was away for long keeps what was deleted meanwhile.",
  },
  {
    name: "own-echo-left-out-of-a-reset",
    rule: "rule 5",
    file: readSpace,
    find: "if (reset.includes(row.domain)) return true;",
    replace: "",
    test: world,
    why: "The client replaces its base and works its own row out on nothing.",
  },
  {
    name: "own-echo-over-a-foreign-write",
    rule: "rule 5",
    file: readSpace,
    find: "&& trace.before <= (position.cursors[row.domain] ?? 0)",
    replace: "",
    test: world,
    why: "Somebody else's change of the row is never sent.",
  },
  {
    name: "own-echo-of-a-later-write",
    rule: "rule 5",
    file: readSpace,
    find: "trace.last === row.version &&",
    replace: "",
    test: pages("what somebody else changed between the write and the read is sent"),
    why: "A change that came between the write and the read is left out.",
  },
  {
    name: "own-echo-unread-over-a-foreign-write",
    rule: "rule 5",
    file: ownEcho,
    find: "(step.before.get(domain) ?? Infinity) <= after",
    replace: "after >= 0",
    test: world,
    why: "What others wrote before the device did is never sent.",
  },
  {
    name: "own-echo-unread-over-a-later-write",
    rule: "rule 5",
    file: ownEcho,
    find: "step?.head !== now.head",
    replace: "step === undefined",
    test: pages("what somebody else changed between the write and the read is sent"),
    why: "A change that came between the write and the read is not looked for.",
  },
  {
    name: "own-echo-for-duplicates",
    rule: "rule 5",
    file: handleEvents,
    find: "if (fresh.length === 0) return { handled: { outcomes: repeated, own: noEcho, left: isLast ? opened : undefined } };",
    replace: `if (fresh.length === 0) {
      const ops = seen.flatMap(({ raw }) => (raw as { ops?: readonly { domain: string; key: string }[] }).ops ?? []);
      const rows = new Map(ops.map(({ domain, key }) => [slotName(domain, key), { before: 0, last: state.head, computable: true }]));
      return { handled: { outcomes: repeated, own: { rows, step: undefined }, left: isLast ? opened : undefined } };
    }`,
    test: world,
    why: "After a lost answer the device never gets the row that it wrote.",
  },
  {
    name: "echo-trace-forgets-the-first-write",
    rule: "rule 5",
    file: batch,
    find: "before: slot.echo?.before ?? before?.version ?? 0",
    replace: "before: 0",
    test: world,
    why: "A row that others had changed is left out for the device that wrote last.",
  },
  {
    name: "cursor-past-what-was-sent",
    rule: "rule 4",
    file: readSpace,
    find: "const reached = page.rows.at(-1)?.version ?? 0;",
    replace: "const reached = head;",
    test: world,
    why: "What a page had no room for is skipped.",
  },
  {
    name: "other-id-taken-for-a-retry",
    rule: "rule 3",
    file: handleEvents,
    find: "if (original?.id !== id) break;",
    replace: "if (!original) break;",
    test: once("another event under a known seq is never taken for the known one"),
    why: "A copied installation's new write is swallowed as a retry.",
  },
  {
    name: "outcome-pruned-above-acked",
    rule: "rule 3",
    file: handleEvents,
    find: "this.#acked - keptBelowAcked",
    replace: "lastSeq - keptBelowAcked",
    test: once("the body of an outcome is kept above `acked`, whatever comes later"),
    why: "A device that lost the answer never learns whether its write was refused.",
  },
  {
    name: "known-id-applied-again",
    rule: "rule 3",
    file: handleEvents,
    find: "if (known) return chain(this.#original",
    replace: "if (known && event.seq < 0) return chain(this.#original",
    test: once("another event under a known seq is never taken for the known one"),
    why: "A device that has been renumbered writes everything twice.",
  },
  {
    name: "was-not-compared",
    rule: "rule 3",
    file: handleEvents,
    find: "device === this.#device.device || device === was?.device",
    replace: "device === this.#device.device || was !== undefined",
    test: once(
      "a known id under another device counts only where `was` names the one that sent it, and is loud elsewhere",
    ),
    why: "Another event under a stolen id passes for done.",
  },
  {
    name: "what-follows-a-deferred-event-goes-on",
    rule: "rule 3",
    file: handleEvents,
    find: "if (this.#waiting) return this.#defer",
    replace: "if (this.#waiting && event.seq < 0) return this.#defer",
    test: once("what waits records nothing and takes no seq, and what comes after it waits too"),
    why: "A later write overtakes an earlier one, whose seq is then taken.",
  },
  {
    name: "deferred-recorded-as-final",
    rule: "rule 3",
    file: handleEvents,
    find: 'if ("deferred" in run) return this.#defer(event, run.deferred);',
    replace:
      'if ("deferred" in run) return this.#record(event, { status: "rejected", ...run.deferred }, false);',
    test: once("what waits records nothing and takes no seq, and what comes after it waits too"),
    why: "What could have been mended and sent again is refused for good.",
  },
  {
    name: "rejected-creates-forgotten",
    rule: "rule 7",
    file: applyOp,
    find: "if (wasRejected(domain, key))",
    replace: "if (wasRejected(domain, key) && key === domain)",
    test: once("a change of a key whose create was refused is refused as well, and told apart"),
    why: "An edit of one's own record lands on a stranger's of the same key.",
  },
  {
    name: "action-restores-nothing",
    rule: "rule 7",
    file: runEvent,
    find: "for (const { domain, key } of forgotten)",
    replace: "for (const { domain, key } of [] as RecordKey[])",
    test: {
      file: "packages/server/src/exchange/actions.test.ts",
      title:
        "an action restores what its event expects deleted, though the server has forgotten that, and nothing else",
    },
    why: "An action that was to stand on a record of some version is carried out where there is none.",
  },
  {
    name: "restore-without-expectation",
    rule: "rule 7",
    file: runEvent,
    find: 'if (op.op !== "restore" ||',
    replace: 'if (op.op === "restore" ||',
    test: once("a restore needs to have seen the tombstone"),
    why: "Two people who restore one record overwrite each other.",
  },
  {
    name: "rejected-event-leaves-a-trace",
    rule: "rule 9",
    file: runEvent,
    find: "scope.undo();",
    replace: "",
    test: {
      file: "tests/faults/atomicity.test.ts",
      title: "an event that is refused in its middle leaves nothing behind",
    },
    why: "Half of a refused write stays.",
  },
  {
    name: "answer-before-the-commit",
    rule: "rule 2",
    file: group,
    find: "this.connection.keep(); if",
    replace: "this.connection.keep(); job.resolve(value as never); if",
    test: disk(
      "what was acknowledged is there, what was not is deferred and nowhere, and it goes on when there is room",
    ),
    why: "A write is called safe and lost with the power.",
  },
  {
    name: "news-before-the-commit",
    rule: "rule 2",
    file: group,
    find: "const committed = this.connection.commit();",
    replace:
      "for (const commit of toCommits(done)) this.committed(commit); const committed = this.connection.commit();",
    test: disk(
      "what was acknowledged is there, what was not is deferred and nowhere, and it goes on when there is room",
    ),
    why: "Others are told of a write that never was.",
  },
  {
    name: "group-goes-on-after-its-rollback",
    rule: "rule 2",
    file: group,
    find: "this.connection.undo();",
    replace: "try { this.connection.undo(); } catch { /* gone */ }",
    test: disk(
      "what was acknowledged is there, what was not is deferred and nowhere, and it goes on when there is room",
    ),
    why: "Writes that stand by themselves are called lost, and nobody is told of them.",
  },
  {
    name: "outcomes-dropped-with-their-ids",
    rule: "rule 3",
    file: "packages/server/src/storage/sqlite-transaction.ts",
    find: "UPDATE outcomes SET bodies=NULL WHERE",
    replace: "DELETE FROM outcomes WHERE",
    test: once("the body of an outcome is kept above `acked`, whatever comes later"),
    why: "An old retry looks like another copy of the installation.",
  },
  {
    name: "raw-stamps-taken",
    rule: "rule 6",
    file: batch,
    find: "effectiveStamp(id, this.#received.next())",
    replace: "(this.#received.next(), id)",
    test: {
      file: "tests/faults/clocks.test.ts",
      title:
        "a clock years ahead does not win over what is written later, nor one years behind over what was",
    },
    why: "Who sets the clock ahead wins for years.",
  },
  {
    name: "offers-under-any-stamp",
    rule: "rule 12",
    file: "packages/server/src/exchange/recovery-window.ts",
    find: "return stampReading(stamp).ms <= ms ? stamp",
    replace: "return stampReading(stamp).ms <= Infinity ? stamp",
    test: offered("what is offered never wins over what was written since, whatever stamps it claims"),
    why: "Who offers a row back overwrites what everybody wrote since.",
  },
  {
    name: "offers-at-any-time",
    rule: "rule 12",
    file: "packages/server/src/exchange/recovery-window.ts",
    find: "if (core.clock.now() >= until) return undefined;",
    replace: "",
    test: offered("readers may not, and nobody after the time is over, or in a space that was not restored"),
    why: "Stamps can be chosen by whoever writes, for ever.",
  },
  {
    name: "offers-for-every-space",
    rule: "rule 12",
    file: "packages/server/src/exchange/recovery-window.ts",
    find: 'if (newest?.reason !== "restored") return undefined;',
    replace: "if (!newest) return undefined;",
    test: offered("readers may not, and nobody after the time is over, or in a space that was not restored"),
    why: "What was wiped on purpose comes back.",
  },
  {
    name: "reconcile-past-cleared-deletes",
    rule: "rule 10",
    file: "packages/server/src/exchange/reconcile-index.ts",
    find: "|| horizon > begun) return undefined;",
    replace: ") return undefined;",
    test: compared("deletes that were cleared away do not stay in the index"),
    why: "A record that was deleted is brought back to every replica that asks.",
  },
  {
    name: "reconcile-with-what-came-later",
    rule: "rule 10",
    file: "packages/server/src/exchange/reconcile.ts",
    find: 'index.items.find({ order: upTo + 1, id: "" })',
    replace: "index.items.size",
    test: compared(
      "what is written between the rounds is no difference, and the index goes on from where it was",
    ),
    why: "Whoever writes while a replica is compared makes it differ.",
  },
  {
    name: "reconcile-for-strangers",
    rule: "§13",
    file: "packages/server/src/access/readable-space.ts",
    find: 'if (!found || found.role === undefined || found.role === "former") throw spaceNotFound();',
    replace: "if (!found) throw spaceNotFound();",
    test: compared("who is no member, or no longer, gets what one gets of a space that does not exist"),
    why: "Anybody reads any space, a row at a time.",
  },
  {
    name: "delta-from-the-beginning",
    rule: "rule 5",
    file: "packages/server/src/hub/delivery.ts",
    find: "${group.state.previous(event, group.domains)}",
    replace: "0",
    test: world,
    why: "A lost delta is never noticed, and its rows never come.",
  },
  {
    name: "socket-trusts-its-hello",
    rule: "§13",
    file: "packages/server/src/hub/socket-exchange.ts",
    find: "(await options.authenticate(token)).id !== user.id",
    replace: "token === undefined",
    test: socketExchange(
      "a token that is refused by now, or is another user's, is not answered, and nothing is written",
    ),
    why: "Who was signed out goes on writing for as long as the socket stays open.",
  },
  {
    name: "long-answer-on-the-socket",
    rule: "§13",
    file: "packages/server/src/hub/socket-exchange.ts",
    find: "Buffer.byteLength(text) > limits.maxSocketAnswerBytes",
    replace: "text.length < 0",
    test: socketExchange(
      "what is too long for the socket, and all while clients are asked to stay away, is left to HTTP",
    ),
    why: "One slow reader holds as much of the server's memory as it asks for.",
  },
  {
    name: "parent-judged-as-the-event-leaves-it",
    rule: "rule 7",
    file: "packages/server/src/apply/relations.ts",
    find: "isDeleted ?? before?.deleted",
    replace: "slot.current?.deleted",
    test: {
      file: "packages/server/src/apply/relations.test.ts",
      title:
        "so is what comes under a master after its delete in the same event; what came before goes with it",
    },
    why: "An action that clears a project away with all that it has just put there is refused.",
  },
  {
    name: "closed-under-mounted-requests",
    rule: "rule 2",
    file: "packages/server/src/create-server.ts",
    find: "[...closed, mounted.finish(closeGraceMs, timers)]",
    replace: "closed",
    test: {
      file: "packages/server/src/create-server.test.ts",
      title: "what was asked before is done, and answered, before the storage closes",
    },
    why: "Whoever is saving while the app is replaced is told that the server failed.",
  },
];
