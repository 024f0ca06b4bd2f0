/** A mistake that is easy to make, planted into a copy of the source as a bundle is made of it. */
export interface Bug {
  readonly name: string;
  /** The rule of docs/protocol.md that it breaks, or the section of the design. */
  readonly rule: string;
  /** The source, relative to the workspace. */
  readonly file: string;
  /** Stands in the source exactly once; any white space matches any other. */
  readonly find: string;
  readonly replace: string;
  /** What a person would lose by it. */
  readonly why: string;
}

const session = "packages/client/src/space/space-session.ts";
const handleEvents = "packages/server/src/exchange/handle-events.ts";
const readSpace = "packages/server/src/exchange/read-space.ts";
const relations = "packages/server/src/apply/relations.ts";
const delivery = "packages/server/src/hub/delivery.ts";

/** Mistakes that need a world to be seen: a crash at the right moment, another tab, a clock, a lost answer. */
export const bugs: readonly Bug[] = [
  {
    name: "retry-not-known-by-its-seq",
    rule: "rule 3",
    file: handleEvents,
    find: "const original = bySeq.get(seq); if (original?.id !== id) break;",
    replace: "const original = bySeq.get(seq); if (original?.id !== undefined) break;",
    why: "Every lost answer makes a device believe that it was copied.",
  },
  {
    name: "one-index-for-a-batch",
    rule: "rule 4",
    file: "packages/server/src/apply/space-batch.ts",
    find: "this.#head = scope.index; const heads = new Map<string, number>();",
    replace:
      "this.#head = Math.max(this.#head, this.opened.state.head + 1); const heads = new Map<string, number>();",
    why: "Two events share an index, and a page that ends between them loses one.",
  },
  {
    name: "page-ends-inside-a-version",
    rule: "rule 5",
    file: readSpace,
    find: ": leaveOut(read, start.reset, page);",
    replace: ": leaveOut(read, start.reset, page.more ? { ...page, rows: page.rows.slice(0, -1) } : page);",
    why: "The last row of every page is skipped.",
  },
  {
    name: "expectation-ignored",
    rule: "§6",
    file: "packages/server/src/exchange/run-event.ts",
    find: "if (wanted === version) return;",
    replace: "if (wanted === version || wanted !== undefined) return;",
    why: "A write that was to stand only on what its writer had seen stands on anything.",
  },
  {
    name: "cascade-forgotten",
    rule: "§5.2",
    file: relations,
    find: "return chain(cascade(working, scope, [...scope.changes.keys()]), () =>",
    replace: "return chain(undefined, () =>",
    why: "Details stay when their master is deleted.",
  },
  {
    name: "unique-not-checked",
    rule: "§5.2",
    file: relations,
    find: "chain(checkUnique(working, scope), () => touchMasters(working, scope, [...scope.changes])),",
    replace: "touchMasters(working, scope, [...scope.changes]),",
    why: "Two records get the number that was to be one's alone.",
  },
  {
    name: "masters-not-touched",
    rule: "§5.2",
    file: relations,
    find: "chain(checkUnique(working, scope), () => touchMasters(working, scope, [...scope.changes])),",
    replace: "checkUnique(working, scope),",
    why: "Whoever follows the master never learns that a detail has changed.",
  },
  {
    name: "old-master-not-touched",
    rule: "§5.2",
    file: relations,
    find: "for (const state of [before, slot.current]) {",
    replace: "for (const state of [slot.current]) {",
    why: "The master that a detail has left still counts it.",
  },
  {
    name: "delta-of-half-an-event",
    rule: "rule 5",
    file: delivery,
    find: "if (group.members.has(domain)) texts.push(text); return texts;",
    replace: "if (group.members.has(domain)) texts.push(text); return texts.slice(0, 1);",
    why: "An app sees half of an atomic write, and the other half never comes.",
  },
  {
    name: "cursor-before-its-rows",
    rule: "rule 5",
    file: session,
    find: "await this.#commit([ ...rowChanges(this.space, cut),",
    replace:
      "await this.#commit([putMeta(this.space, next)]); await this.#commit([ ...rowChanges(this.space, cut),",
    why: "A crash between the two leaves a replica that never asks for what it lacks.",
  },
  {
    name: "outbox-dropped-before-the-cut",
    rule: "rule 8",
    file: session,
    find: "await this.#commit([ ...rowChanges(this.space, cut),",
    replace:
      "await this.#commit([...settlement.settled.keys()].map((id) => dropEvent(this.space, id))); await this.#commit([ ...rowChanges(this.space, cut),",
    why: "A crash between the two takes a refused edit with it, and nobody is told.",
  },
  {
    name: "saved-before-it-is",
    rule: "rule 8",
    file: session,
    find: "const saved = this.#saver.put(...(clock ? [clock] : []), putEvent(this.space, event));",
    replace:
      "const saved = Promise.resolve(); void this.#saver.put(...(clock ? [clock] : []), putEvent(this.space, event)).catch(() => undefined);",
    why: "What was called safe on the device goes with a crash.",
  },
  {
    name: "settled-events-stay-on-the-disk",
    rule: "§13",
    file: session,
    find: "...[...settlement.settled.keys()].map((id) => dropEvent(this.space, id)),",
    replace: "",
    why: "The outbox grows for ever, and all of it is sent again after every start.",
  },
  {
    name: "receipts-never-settle",
    rule: "rule 9",
    file: session,
    find: "for (const [id, outcome] of settlement.settled) this.receipts.settle(id, outcome);",
    replace: "",
    why: "An app waits for ever to hear what became of a write.",
  },
  {
    name: "newest-write-first",
    rule: "rule 3",
    file: "packages/client/src/replica/pending-event.ts",
    find: "? a.id < b.id : offered;",
    replace: "? a.id > b.id : offered;",
    why: "What was written last is sent first, and loses to what it was to replace.",
  },
  {
    name: "seq-sent-before-it-is-stored",
    rule: "rule 3",
    file: "packages/client/src/space/requests.ts",
    find: "...numbered.map((event) => putEvent(session.space, event)), putMeta(session.space, { ...session.meta, nextSeq }), ]) .then(",
    replace: "]).then(",
    why: "After a crash other writes get the seqs of those that were sent.",
  },
  {
    name: "idle-without-rest",
    rule: "§8",
    file: "packages/client/src/loop/pace.ts",
    find: "export const idleMs = 60_000;",
    replace: "export const idleMs = 20;",
    why: "A phone that has nothing to do asks fifty times a second.",
  },
];

/** Mistakes of tests/faults that the world must catch as well, each in a run of everything at once. */
export const caughtByTheWorld: readonly string[] = [
  "stamps-clamped-without-receive-counter",
  "stamps-never-clamped",
  "raw-stamps-taken",
  "unset-drops-its-stamp",
  "delete-does-not-win",
  "create-over-a-tombstone",
  "create-stamp-moves",
  "last-arrival-wins",
  "superseded-in-silence",
  "counter-overwritten",
  "set-in-order-of-arrival",
  "digest-without-content",
  "digest-never-forgets",
  "own-echo-over-a-foreign-write",
  "own-echo-for-duplicates",
  "echo-trace-forgets-the-first-write",
  "cursor-past-what-was-sent",
  "rejected-event-leaves-a-trace",
  "answer-before-the-commit",
  "restore-without-expectation",
  "delta-from-the-beginning",
  "delta-over-a-gap",
  "own-echo-from-base",
  "outcome-before-its-rows",
  "event-leaves-before-its-rows",
  "last-seq-ignored",
  "two-leaders-without-a-fence",
  "reload-drops-what-is-being-stored",
  "rebase-forgets-later-events",
  "delta-moves-one-of-two-domains",
  "confirmed-forgotten-with-the-process",
  "own-echo-under-the-raw-stamp",
  "refused-in-silence",
  "beaten-in-silence",
  "inbox-kept-in-memory-only",
];
