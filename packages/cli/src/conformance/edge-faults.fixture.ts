import type { Call, Loose, Tampering } from "./broken-server.fixture.js";
import {
  type LooseRow,
  changeAnswer,
  changeBody,
  isExchange,
  lines,
  remembering,
  without,
} from "./tampering.fixture.js";
import { type KitFault, fault } from "./kit-fault.fixture.js";

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
  fault("heads say nothing of their generation", ["socket/heads"], () => ({
    down: (message) => void delete message["generations"],
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

/** Faults of streams, pulls, reconciliation, refusals and sockets. @param owner the token that the kit signs in with first. */
export const edgeFaults = (owner: string): readonly KitFault[] => [
  ...ofReconciling,
  ...ofStreamsAndPulls,
  ...ofRefusals(owner),
  ...ofSockets(owner),
];
