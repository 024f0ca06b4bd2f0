import type { Call, Loose, Tampering } from "./broken-server.fixture.js";
import {
  type LooseEvent,
  type LooseRow,
  answering,
  asking,
  changeAnswer,
  changeBody,
  forgetful,
  isExchange,
  lastToArrive,
  lines,
  ops,
  outcomeInPlaceOf,
  outcomes,
  remembering,
  rows,
  splitting,
  status,
  without,
} from "./tampering.fixture.js";

/** A way of being wrong, and the checks that must turn red by it. */
export interface KitFault {
  readonly name: string;
  readonly reddens: readonly string[];
  readonly tampering: () => Tampering;
}

const isApplied = { status: "applied", index: 99, modifiedAt: 1 };

const fault = (name: string, reddens: readonly string[], tampering: () => Tampering): KitFault => ({
  name,
  reddens,
  tampering,
});

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

/** Changes the answers of reconciliations. */
const reconciling = (
  change: (answer: Loose & { rows: LooseRow[]; frame: string; head: number }) => void,
): Tampering => ({
  answer(reply, { path }) {
    if (path === "/v1/reconcile" && reply.status === 200)
      changeAnswer(reply, (body) => change(body as Parameters<typeof change>[0]));
  },
});

/** Turns a bit over in the last byte of a frame. */
function damaged(frame: string): string {
  const bytes = Buffer.from(frame, "base64url");
  if (bytes.length > 0) bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  return bytes.toString("base64url");
}

const ofReconciling: readonly KitFault[] = [
  fault("a reconciliation never ends", ["reconcile/equal", "reconcile/up-to"], () => ({
    request(call) {
      if (call.path === "/v1/reconcile")
        changeBody(call, (body) => (body["frame"] = damaged(String(body["frame"]))));
    },
  })),
  fault("a frame has another number", ["reconcile/differs", "reconcile/wanted"], () =>
    reconciling((answer) => (answer.frame = damaged(answer.frame))),
  ),
  fault("a row that is wanted does not come", ["reconcile/wanted", "reconcile/keys"], () =>
    reconciling((answer) => answer.rows.pop()),
  ),
  fault("rows come as they were", ["reconcile/keys"], () =>
    reconciling(({ rows }) => rows.forEach((row) => (row.version = 1))),
  ),
  fault("the cursor that is compared at is not heard", ["reconcile/up-to"], () => ({
    request(call) {
      if (call.path === "/v1/reconcile")
        changeBody(call, (body) => (body["upTo"] = Number(body["upTo"]) + 1));
    },
  })),
  fault("the generation is not compared", ["reconcile/elsewhere"], () => {
    let known: unknown;
    return {
      request(call) {
        if (isExchange(call))
          changeBody(
            call,
            (body) => (known = (body["spaces"] as Loose[] | undefined)?.[0]?.["generation"] ?? known),
          );
        else if (call.path === "/v1/reconcile") changeBody(call, (body) => (body["generation"] = known));
      },
    };
  }),
  fault("frames are not looked at", ["reconcile/bad"], () => ({
    request(call) {
      if (call.path === "/v1/reconcile") changeBody(call, (body) => (body["frame"] = "AAA"));
    },
  })),
];

const ofStreamsAndPulls: readonly KitFault[] = [
  fault("a stream has no end", ["stream/whole"], () =>
    lines((line) => (line["type"] === "end" ? undefined : line)),
  ),
  fault("a stream has no checkpoints", ["stream/checkpoints"], () =>
    lines((line) => (line["type"] === "checkpoint" ? undefined : line)),
  ),
  fault("a checkpoint stands before its last row", ["stream/checkpoints"], () =>
    lines((line) => {
      if (line["type"] === "checkpoint")
        for (const [name, at] of Object.entries(line["cursors"] as object))
          (line["cursors"] as Loose)[name] = Number(at) + 1;
      return line;
    }),
  ),
  fault("a stream says nothing of its events", ["stream/writes"], () =>
    lines((line) => (line["type"] === "space" ? { ...line, outcomes: [] } : line)),
  ),
  fault("a space that fails is passed over", ["stream/failure"], () =>
    lines((line) => (line["type"] === "failure" ? undefined : line)),
  ),
  fault("`since` is not heard", ["pull/since", "pull/pages"], () => without("since")),
  fault("`keys` is not heard", ["pull/keys"], () => without("keys")),
  fault("`known` of a pull is not heard", ["pull/known"], () => without("known")),
  fault("`modified_since` is not heard", ["pull/modified-since"], () => without("modified_since")),
  fault("`fields` is not heard", ["pull/fields-key"], () => without("fields")),
  fault("an ETag means nothing", ["pull/etag"], () => ({
    request(call) {
      delete call.headers["if-none-match"];
    },
  })),
  fault("an ETag is for ever", ["pull/etag"], () => ({
    answer(reply, call) {
      if (call.headers["if-none-match"] !== undefined) Object.assign(reply, { status: 304, text: "" });
    },
  })),
  fault("lines are not given", ["pull/lines"], () => ({
    request(call) {
      delete call.headers["accept"];
    },
  })),
  fault("a query may say anything", ["pull/query"], () => ({
    request(call) {
      call.path = call.path.replace(/&(surprise|limit)=[^&]*/, "");
    },
  })),
  fault("info knows no spaces", ["info/says"], () => ({
    answer(reply, { path }) {
      if (path === "/v1/info") changeAnswer(reply, (body) => (body["spaces"] = {}));
    },
  })),
];

/** The spaces that strangers are told of. */
const tellsStrangers = (): Tampering =>
  remembering((spaces) => ({
    answer(reply, call) {
      const name = [...spaces].find((space) => call.path.includes(space));
      if (name !== undefined && reply.status === 404) reply.headers.set("x-space", "exists");
    },
  }));

const listsAll = (): Tampering =>
  remembering((spaces) => ({
    answer(reply, { path, method }) {
      if (path !== "/v1/spaces" || method !== "GET") return;
      const listed = [...spaces].map((space) => ({ space, role: "reader", head: 0, generation: "g" }));
      changeAnswer(reply, (body) => (body["spaces"] = listed));
    },
  }));

/** Lets anyone in as `owner`. */
const everyoneIs = (owner: string, isMeant: (call: Call) => boolean): Tampering => ({
  request(call) {
    if (isMeant(call)) call.headers["authorization"] = `Bearer ${owner}`;
  },
  up(message) {
    if (message["type"] === "hello") message["token"] = owner;
  },
});

const ofRefusals = (owner: string): readonly KitFault[] => [
  fault(
    "refusals are no problems",
    [
      "bad/no-json",
      "bad/shape",
      "bad/nesting",
      "bad/prototype",
      "bad/cursors",
      "bad/protocol",
      "bad/spaces-twice",
      "bad/too-many-events",
      "bad/too-many-bytes",
      "bad/media-type",
      "bad/accept",
      "bad/method",
      "bad/address",
    ],
    () => ({
      answer(reply) {
        if (reply.status >= 400) reply.headers.set("content-type", "text/plain");
      },
    }),
  ),
  fault("there is no challenge", ["token/none"], () => ({
    answer(reply) {
      reply.headers.delete("www-authenticate");
    },
  })),
  fault("any token will do", ["token/none", "token/forged", "socket/bad-token"], () =>
    everyoneIs(
      owner,
      ({ headers }) =>
        !/dev:|^Bearer [\w-]+\.[\w-]+\.[\w-]{43}$/.test(headers["authorization"] ?? "") ||
        headers["authorization"] === "",
    ),
  ),
  fault("an answer leaks to strangers that a space exists", ["stranger/indistinguishable"], tellsStrangers),
  fault("strangers are let in", ["stranger/refused", "stranger/socket"], () => everyoneIs(owner, isExchange)),
  fault("everybody sees all spaces", ["stranger/lists"], listsAll),
];

const news = (message: Loose): boolean => message["type"] === "poke" || message["type"] === "delta";

const ofSockets = (owner: string): readonly KitFault[] => [
  fault("frames are compressed", ["socket/welcome"], () => ({ compress: true })),
  fault("the welcome has another time", ["socket/welcome"], () => ({
    down: (message) => void (message["type"] === "welcome" && (message["time"] = 0)),
  })),
  fault(
    "sockets close without a reason",
    ["socket/bad-hello", "socket/bad-message", "socket/bad-token", "socket/auth", "socket/auth-other-user"],
    () => ({ close: () => 1000 }),
  ),
  fault("`auth` is not heard", ["socket/auth", "socket/auth-other-user"], () => ({
    up: (message) =>
      void (
        message["type"] === "auth" && Object.assign(message, { type: "watch", spaces: {}, token: undefined })
      ),
  })),
  fault(
    "pokes are lost",
    ["socket/news", "socket/delta", "socket/chain", "socket/own", "socket/unwatched", "socket/wiped"],
    () => ({
      down: (message) => !news(message),
    }),
  ),
  fault("a delta has not all rows", ["socket/delta"], () => ({
    down: (message) => void (message["rows"] as LooseRow[] | undefined)?.pop(),
  })),
  fault("a delta does not say where it begins", ["socket/delta", "socket/chain"], () => ({
    down: (message) => void (message["type"] === "delta" && (message["from"] = 77)),
  })),
  fault("a device hears of its own writes", ["socket/own"], () => ({
    up: (message) => void (message["type"] === "hello" && (message["device"] = "somebody-else")),
    down: (message) => void delete message["by"],
  })),
  fault("everybody hears of every domain", ["socket/unwatched"], () => ({
    up(message) {
      for (const domains of Object.values(
        (message["spaces"] as { [space: string]: string[] } | undefined) ?? {},
      ))
        domains.push("conformance-other");
    },
  })),
  fault("heads are behind", ["socket/heads"], () => ({
    down(message) {
      if (message["type"] !== "heads") return;
      for (const heads of Object.values(
        message["spaces"] as { [space: string]: { [domain: string]: number } },
      ))
        for (const name of Object.keys(heads)) heads[name] = 0;
    },
  })),
  fault("an exchange over the socket is not answered", ["socket/exchange", "socket/exchange-token"], () => ({
    down: (message) => message["type"] !== "answer",
  })),
  fault("an exchange over the socket says that it was applied, and was not", ["socket/exchange"], () => ({
    up(message) {
      const request = message["request"] as { spaces?: { events?: object[] }[] } | undefined;
      for (const space of request?.spaces ?? []) space.events = [];
    },
  })),
  fault("whatever the token, the socket's user writes", ["socket/exchange-token"], () => ({
    up: (message) => void (message["type"] === "exchange" && (message["token"] = owner)),
  })),
  fault("who was removed is not told", ["socket/revoked"], () => ({
    down: (message) => message["type"] !== "revoked",
  })),
];

/** All of them. @param owner the token that the kit signs in with first. */
export const kitFaults = (owner: string): readonly KitFault[] => [
  ...ofSpaces,
  ...ofOps,
  ...ofRepeats,
  ...ofReads,
  ...ofMerging,
  ...ofReconciling,
  ...ofStreamsAndPulls,
  ...ofRefusals(owner),
  ...ofSockets(owner),
];
