import { edgeFaults } from "./edge-faults.fixture.js";
import type { Loose } from "./broken-server.fixture.js";
import {
  type LooseEvent,
  answering,
  asking,
  changeBody,
  forgetful,
  lastToArrive,
  ops,
  outcomeInPlaceOf,
  outcomes,
  rows,
  splitting,
  status,
} from "./tampering.fixture.js";
import { type KitFault, fault, isApplied } from "./kit-fault.fixture.js";

const ofSpaces: readonly KitFault[] = [
  fault("who makes a space is not its owner", ["spaces/create"], () => ({
    answer(reply, { path }) {
      if (path === "/v1/spaces") reply.text = reply.text.replaceAll('"owner"', '"writer"');
    },
  })),
  fault("ids that the server makes count up", ["spaces/create-unnamed"], () => {
    let count = 0;
    return {
      request(call) {
        if (call.path === "/v1/spaces" && String(call.body) === "{}")
          call.body = Buffer.from(`{"space":"counted-space-${Date.now()}-${(count += 1)}"}`);
      },
      answer(reply) {
        reply.text = reply.text.replace(/counted-space-\d+-\d+/, "counted-space-001");
      },
    };
  }),
  fault("an id that is taken lets one in", ["spaces/taken", "spaces/taken-stranger"], () => status(409, 201)),
  fault("names are not looked at", ["spaces/names", "members/roles"], () => ({
    request(call) {
      if (call.path === "/v1/spaces" && call.method === "POST")
        changeBody(call, (body) => {
          if (!String(body["space"]).startsWith("conformance-")) delete body["space"];
        });
      if (call.method === "PUT") call.body = Buffer.from('{"role":"writer"}');
    },
  })),
  fault("every member is an owner", ["members/list"], () => ({
    answer(reply, { path }) {
      if (path.endsWith("/members")) reply.text = reply.text.replaceAll('"writer"', '"owner"');
    },
  })),
  fault("every member manages", ["members/writer"], () => status(403, 200)),
  fault("a reader's write is accepted", ["members/reader"], () => outcomeInPlaceOf("forbidden", isApplied)),
  fault("who was removed is a stranger", ["members/removed"], () =>
    answering(({ error }) => {
      if (error?.["code"] === "revoked") error["code"] = "not_found";
    }),
  ),
  fault("nobody can leave", ["members/leave"], () => ({
    request(call) {
      if (call.method === "DELETE" && call.path.includes("/members/")) call.path = "/v1/exchange";
    },
  })),
  fault("the last owner leaves", ["members/last-owner"], () => status(409, 200)),
  fault("a wipe wipes nothing", ["wipe/generation", "wipe/seqs", "socket/wiped"], () => ({
    request(call) {
      if (call.method === "DELETE" && !call.path.includes("/members/"))
        Object.assign(call, { method: "GET", path: "/v1/info" });
    },
  })),
  fault("a generation does not say why", ["wipe/generation"], () =>
    answering(({ error }) => {
      delete error?.["reason"];
    }),
  ),
  fault("an offer is taken at any time", ["offer/no-window"], () =>
    outcomeInPlaceOf("recovery_over", isApplied),
  ),
  fault("the generation is not looked at", ["cursor/generation"], () =>
    asking((space) => delete space["generation"]),
  ),
];

const ofOps: readonly KitFault[] = [
  fault("create is put", ["ops/exists", "ops/atomic", "expect/depends-on", "expect/depends-on-acked"], () =>
    ops((op) => {
      if (op["op"] === "create") op["op"] = "put";
    }),
  ),
  fault("put is create", ["ops/put"], () =>
    ops((op) => {
      if (op["op"] === "put") op["op"] = "create";
    }),
  ),
  fault("a change of nothing makes a record", ["ops/missing", "once/rejected-again"], () =>
    ops((op) => {
      if (op["op"] === "update" && op["unset"] === undefined) op["op"] = "put";
    }),
  ),
  fault("versions are one too high", ["ops/create", "ops/delete", "merge/history", "digest/content"], () =>
    rows((row) => (row.version += 1)),
  ),
  fault("only the create is stamped", ["ops/update", "merge/ahead", "digest/content"], () =>
    rows((row) => {
      if (row.stamps) row.stamps = { "*": row.stamps["*"] };
    }),
  ),
  fault("unset is not heard", ["merge/unset", "ops/update"], () => ops((op) => delete op["unset"])),
  fault("counters are fields", ["ops/increment", "merge/commit-order"], () =>
    ops((op) => {
      if (op["op"] === "increment") Object.assign(op, { op: "update", set: op["by"], by: undefined });
    }),
  ),
  fault("members of a set are told apart by their texts", ["ops/first-use"], () =>
    ops((op) => {
      for (const [field, members] of Object.entries(
        (op["values"] as { [field: string]: unknown[] } | undefined) ?? {},
      ))
        (op["values"] as Loose)[field] = members.map(String);
    }),
  ),
  fault("sets are fields", ["ops/sets"], () =>
    ops((op) => {
      if (op["op"] === "add") Object.assign(op, { op: "update", set: op["values"], values: undefined });
    }),
  ),
  fault(
    "tombstones are not sent",
    ["ops/delete", "ops/deleted", "ops/delete-many", "ops/seq-order", "pages/since"],
    () =>
      answering((space) => {
        space.rows = space.rows?.filter(({ deleted }) => !deleted);
      }),
  ),
  fault("a delete can be written over", ["ops/deleted"], () => outcomeInPlaceOf("deleted", isApplied)),
  fault(
    "expectations are not looked at",
    ["ops/restore", "expect/version", "expect/none", "expect/seq-changed"],
    () => outcomeInPlaceOf("expectation_failed", isApplied),
  ),
  fault("an expectation on an own event never holds", ["expect/seq"], () =>
    asking((space) => {
      for (const { expect } of (space["events"] as (LooseEvent & { expect?: unknown[][] })[] | undefined) ??
        [])
        for (const one of expect ?? []) if (typeof one[2] === "object") one[2] = 77;
    }),
  ),
  fault(
    "what lost is not told",
    ["ops/restore-older", "merge/behind", "merge/unset", "merge/create-stamp", "merge/history"],
    () => outcomes((outcome) => delete outcome["superseded"]),
  ),
  fault("deleteMany takes all", ["ops/delete-many-up-to"], () =>
    ops((op) => {
      if (typeof op["upTo"] === "number") op["upTo"] = 1_000_000;
    }),
  ),
  fault("deleteMany takes the first key alone", ["ops/delete-many"], () =>
    ops((op) => {
      if (Array.isArray(op["keys"])) op["keys"] = op["keys"].slice(0, 1);
    }),
  ),
  fault(
    "what is invalid is applied",
    [
      "ops/one-a-key",
      "ops/field-once",
      "ops/neighbours",
      "bad/op",
      "bad/names",
      "bad/values",
      "bad/depth",
      "bad/record-size",
      "bad/expect",
      "bad/fields-in-all",
    ],
    () =>
      outcomes((outcome) => {
        if (outcome.code !== "invalid" && outcome.code !== "too_large") return;
        delete outcome.code;
        Object.assign(outcome, isApplied);
      }),
  ),
  fault("the op that cannot stand is left out, and the others stand", ["ops/atomic"], () =>
    ops((op) => {
      if (op["key"] === "there") op["op"] = "put";
    }),
  ),
  fault("each row has a time of its own", ["ops/together"], () => rows((row, at) => (row.modifiedAt += at))),
  fault("an unknown action is invalid", ["ops/unknown-action"], () =>
    outcomeInPlaceOf("unknown_action", { code: "invalid" }),
  ),
  fault("events are taken in the order in which they stand", ["ops/seq-order"], () =>
    answering((space, asked) => {
      const seqs = ((asked["events"] as LooseEvent[] | undefined) ?? []).map(({ seq }) => seq);
      if (seqs.some((seq, at) => at > 0 && seq < (seqs[at - 1] as number)))
        space.outcomes.forEach((outcome) =>
          Object.assign(outcome, { status: "rejected", code: "missing", message: "" }),
        );
    }),
  ),
  fault("nothing depends on a create", ["expect/depends-on"], () =>
    outcomeInPlaceOf("depends_on", isApplied),
  ),
  fault("`acked` is not heard", ["expect/depends-on-acked"], () => asking((space) => delete space["acked"])),
];

const ofRepeats: readonly KitFault[] = [
  fault(
    "no event is seen twice",
    [
      "once/again",
      "once/rejected-again",
      "once/in-part",
      "once/later",
      "once/at-the-same-time",
      "once/in-one-request",
      "once/below-acked",
      "seq/gap",
      "seq/fork",
      "seq/was",
      "seq/id-conflict",
      "void/given-up",
      "void/too-late",
      "stream/writes",
    ],
    forgetful,
  ),
  fault("bodies of outcomes are forgotten early", ["once/again", "once/later", "once/acked"], () =>
    outcomes((outcome) => {
      if (outcome["of"] !== "applied") return;
      const { id, seq } = outcome;
      for (const name of Object.keys(outcome)) delete outcome[name];
      Object.assign(outcome, { id, seq, status: "duplicate", of: "expired" });
    }),
  ),
  fault("a fork says nothing of what matched", ["seq/fork"], () =>
    answering(({ error }) => delete error?.["outcomes"]),
  ),
  fault("`was` is not heard", ["seq/was"], () =>
    asking((space) => {
      for (const event of (space["events"] as LooseEvent[] | undefined) ?? []) delete event["was"];
    }),
  ),
  fault("another's id is a duplicate", ["seq/id-conflict"], () =>
    outcomeInPlaceOf("id_conflict", { ...isApplied, status: "duplicate", of: "applied" }),
  ),
  fault("a void event takes an index", ["void/given-up", "void/too-late"], () =>
    asking((space) => {
      for (const event of (space["events"] as LooseEvent[] | undefined) ?? [])
        if (event["void"] === true) {
          delete event["void"];
          event.ops = [];
        }
    }),
  ),
  fault("what should wait is rejected", ["deferred/nothing-kept"], () =>
    outcomes((outcome) => {
      if (outcome.status === "deferred") outcome.status = "rejected";
    }),
  ),
  fault("a gap does not say what is expected", ["seq/gap"], () =>
    answering(({ error }) => delete error?.["expected"]),
  ),
];

const ofReads: readonly KitFault[] = [
  fault("a version is split between pages", ["pages/whole-versions"], splitting),
  fault("a page loses its last row", ["pages/walk", "pages/several-domains"], () =>
    answering((space) => {
      if (space.more) space.rows.pop();
    }),
  ),
  fault("a commit that was late is skipped", ["pages/walk", "pages/concurrent"], () =>
    answering((space) => {
      space.rows = space.rows?.filter(({ version }) => version !== 7);
    }),
  ),
  fault("cursors run ahead of the rows", ["pages/several-domains", "pages/walk"], () =>
    answering((space) => {
      if (space.more) for (const name of Object.keys(space.cursors)) space.cursors[name] = space.head;
    }),
  ),
  fault("cursors are not heard", ["pages/since"], () =>
    asking((space) => {
      const cursors = space["cursors"] as { [domain: string]: number };
      if (space["scan"] === undefined) for (const name of Object.keys(cursors)) cursors[name] = 0;
    }),
  ),
  fault("rows of domains come that nobody asked for", ["pages/asked-domains"], () =>
    asking((space) => Object.assign(space["cursors"] as object, { conformance: 0 })),
  ),
  fault("a scan does not say where it began", ["pages/scan"], () => answering((space) => delete space.scan)),
  fault("lastSeq is not known", ["pages/last-seq"], () => answering((space) => (space.lastSeq = 0))),
  fault("the clock stands still", ["pages/index"], () => outcomes((outcome) => (outcome["modifiedAt"] = 1))),
  fault("the head is not known", ["cursor/ahead"], () => answering(({ error }) => delete error?.["head"])),
  fault("a cursor needs no generation", ["cursor/without-generation", "bad/identity"], () =>
    answering(({ error }) => {
      if (error?.["code"] === "invalid_space") error["code"] = "cursor_ahead";
    }),
  ),
  fault("what is left out is not named", ["echo/omitted"], () =>
    outcomes((outcome) => delete outcome["omitted"]),
  ),
  fault("whatever the request wrote is left out", ["echo/foreign", "echo/duplicate"], () =>
    answering((space, asked) => {
      const keys = ((asked["events"] as LooseEvent[] | undefined) ?? []).flatMap((event) =>
        (event.ops ?? []).map(({ key }) => key),
      );
      space.rows = space.rows?.filter(({ key }) => !keys.includes(key));
    }),
  ),
  fault("`known` is not heard", ["echo/known"], () => asking((space) => delete space["known"])),
];

const ofMerging: readonly KitFault[] = [
  fault("a record is written as a whole", ["merge/fields", "ops/put"], () =>
    rows((row) => {
      const last = Object.entries(row.fields ?? {}).at(-1);
      if (row.fields) row.fields = last === undefined ? {} : { [last[0]]: last[1] };
    }),
  ),
  fault(
    "the last to arrive wins",
    ["merge/behind", "merge/unset", "merge/tail", "merge/create-stamp", "merge/history", "ops/restore-older"],
    lastToArrive,
  ),
  fault("a clock that runs ahead is taken at its word", ["merge/ahead"], () =>
    outcomes((outcome) => delete outcome["eff"]),
  ),
  fault("the events of a request are received at once", ["merge/within-a-request"], () =>
    answering((space) => {
      const [first] = space.outcomes ?? [];
      for (const outcome of space.outcomes ?? [])
        if (outcome["eff"] !== undefined) outcome["eff"] = first?.["eff"];
    }),
  ),
  fault(
    "a digest is altered",
    [
      "digest/content",
      "digest/canonical",
      "digest/tombstones",
      "digest/counters",
      "merge/history",
      "stream/whole",
    ],
    () => ({
      answer(reply) {
        reply.text = reply.text.replace(
          /("sum":"[0-9a-f]{31})([0-9a-f])"/g,
          (_all, start: string, last: string) => `${start}${last === "0" ? "1" : "0"}"`,
        );
      },
    }),
  ),
  fault("a value changes on the way, and its digest does not", ["digest/content"], () =>
    rows((row) => {
      if (row.fields?.["n"] === 2) row.fields["n"] = 3;
    }),
  ),
  fault("there are no digests", ["digest/last-page"], () => answering((space) => delete space.digests)),
  fault("the members of an object lose their order under other collations", ["digest/canonical"], () =>
    rows((row) => {
      if (row.fields?.["big"] === 1e21) row.fields["norse"] = "ÆRØSKØBING";
    }),
  ),
];

/** All of them. @param owner the token that the kit signs in with first. */
export const kitFaults = (owner: string): readonly KitFault[] => [
  ...ofSpaces,
  ...ofOps,
  ...ofRepeats,
  ...ofReads,
  ...ofMerging,
  ...edgeFaults(owner),
];
