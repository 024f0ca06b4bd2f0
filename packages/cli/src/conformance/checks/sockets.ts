import { domain, otherDomain } from "../bench.js";
import type { Bench } from "../bench.js";
import { type Check, has, must, same } from "../check.js";
import type { Device } from "../device.js";
import type { SocketEnd } from "../socket-end.js";
import { create, drop, update } from "../written-ops.js";

const rule = "The socket";

/** A socket of another device that watches a space, once the watch stands. */
async function watching(
  bench: Bench,
  device: Device,
  domains = [domain],
  as = "watcher",
): Promise<SocketEnd> {
  const socket = await bench.welcomed(device.caller, as);
  socket.send({ type: "watch", spaces: { [device.space]: domains } });
  await heads(bench, socket, device);
  return socket;
}

/** The heads of a device's space, and the generation that they count in. */
async function heads(
  bench: Bench,
  socket: SocketEnd,
  device: Device,
): Promise<{
  readonly indexes: { readonly [domain: string]: number } | undefined;
  readonly generation: string | undefined;
}> {
  const { spaces, generations } = await socket.next(
    "heads",
    (told) => Object.hasOwn(told.spaces, device.space),
    bench.patience.headsMs,
  );
  return { indexes: spaces[device.space], generation: generations?.[device.space] };
}

/** The first news of a space: a poke or a delta. */
async function news(
  socket: SocketEnd,
  device: Device,
  withinMs = socket.patienceMs,
): Promise<
  | {
      readonly type: string;
      readonly index: number;
      readonly domains: readonly string[];
      readonly by?: string | undefined;
    }
  | undefined
> {
  const found = await socket.first(
    (message) => (message.type === "poke" || message.type === "delta") && message.space === device.space,
    withinMs,
  );
  return found as Awaited<ReturnType<typeof news>>;
}

/** Hello, watch, pokes, deltas, heads, and how a server closes. */
export const socketChecks: readonly Check[] = [
  {
    id: "socket/welcome",
    rule,
    asks: "A hello with a good token is answered by `welcome` with the server's time; the subprotocol is landfall.v1, and nothing is compressed.",
    async run(bench) {
      const socket = await bench.socket();
      same("the subprotocol", socket.protocol, "landfall.v1");
      must(!socket.compressed, "the server agreed to compress frames");
      socket.send({ type: "hello", token: bench.first.token, device: "kit" });
      const { time } = await socket.next("welcome");
      must(
        Math.abs(time - bench.nowMs()) < 60_000,
        `welcome says ${time}, /v1/info said about ${bench.nowMs()}`,
      );
    },
  },
  {
    id: "socket/bad-hello",
    rule,
    asks: "A first message that is no valid hello closes the socket with 4400.",
    async run(bench) {
      const { token } = bench.first;
      for (const first of [
        "no JSON",
        "{}",
        { type: "watch", spaces: {} },
        { type: "hello", token },
        { type: "hello", token, device: "a/b" },
        { type: "hello", token, device: "d", surprise: 1 },
      ]) {
        const socket = await bench.socket();
        socket.send(first);
        same(`the close code after ${JSON.stringify(first).slice(0, 60)}`, await socket.closed(), 4400);
      }
    },
  },
  {
    id: "socket/bad-token",
    rule,
    asks: "A hello with a token that is not good closes the socket with 4401.",
    async run(bench) {
      const socket = await bench.socket();
      socket.send({ type: "hello", token: "nonsense", device: "kit" });
      same("the close code", await socket.closed(), 4401);
    },
  },
  {
    id: "socket/bad-message",
    rule,
    asks: "A frame that cannot be decoded closes the socket with 4402.",
    async run(bench) {
      for (const bad of [
        "no JSON",
        { type: "watch" },
        { type: "watch", spaces: { "a/b": [] } },
        { type: "auth" },
        { type: "hello" },
      ]) {
        const socket = await bench.welcomed(bench.first, "kit");
        socket.send(bad);
        same(`the close code after ${JSON.stringify(bad)}`, await socket.closed(), 4402);
      }
    },
  },
  {
    id: "socket/auth",
    rule,
    asks: "`auth` renews the token of the same user, and closes the socket with 4401 for one that is not good.",
    async run(bench) {
      const device = await bench.device();
      const socket = await watching(bench, device);
      socket.send({ type: "auth", token: bench.first.token });
      await device.apply(create("a"));
      has("the news after a renewal", await news(socket, device), { index: 1 });
      socket.send({ type: "auth", token: "nonsense" });
      same("the close code", await socket.closed(), 4401);
    },
  },
  {
    id: "socket/auth-other-user",
    rule,
    asks: "`auth` with another user's token closes the socket with 4401: nobody takes a socket over.",
    async run(bench) {
      const socket = await bench.welcomed(bench.first, "kit");
      socket.send({ type: "auth", token: bench.second.token });
      same("the close code", await socket.closed(), 4401);
    },
  },
  {
    id: "socket/news",
    rule,
    asks: "A commit in a watched domain is told by a poke or a delta with its index, to a device other than the writer's.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("before"));
      const socket = await watching(bench, device);
      await device.apply(create("a"));
      const told = await news(socket, device);
      has("the news", told, { index: 2, domains: [domain] });
      must(told?.by === undefined || told.by === device.name, `the news names ${told?.by} as the writer`);
    },
  },
  {
    id: "socket/delta",
    rule,
    asks: "Where a small change comes as a delta, it has all watched rows of the event as an exchange has them, the index before it that touched a watched domain, and the watcher's own lastSeq.",
    async run(bench) {
      const device = await bench.device();
      const from = await device.apply(create("a"), create("b"));
      await device.apply(create("elsewhere", {}, otherDomain));
      const socket = await watching(bench, device);
      const index = await device.apply(update("a", { n: 1 }), drop("b"), create("unseen", {}, otherDomain));
      const told = await news(socket, device);
      if (told?.type === "poke") return;
      has("the delta", told, {
        type: "delta",
        from,
        index,
        lastSeq: 0,
        generation: device.generation,
        domains: [domain],
      });
      const rows = (await device.rows(domain)).toSorted((x, y) => (x.key < y.key ? -1 : 1));
      const sent = (told as unknown as { rows: readonly { key: string }[] }).rows.toSorted((x, y) =>
        x.key < y.key ? -1 : 1,
      );
      same("its rows", sent, rows);
    },
  },
  {
    id: "socket/chain",
    rule,
    asks: "Deltas one after another join without a gap, each beginning where the one before it ended, or a poke tells of more.",
    async run(bench) {
      const device = await bench.device();
      const socket = await watching(bench, device);
      let at = 0;
      for (let i = 0; i < 6; i++) {
        const index = await device.apply(create(`k${i}`, {}, i % 3 === 2 ? otherDomain : domain));
        if (i % 3 === 2) continue;
        const told = await news(socket, device);
        has("the news", told, { index });
        if (told?.type === "delta") has("the delta", told, { from: at });
        at = index;
      }
    },
  },
  {
    id: "socket/own",
    rule,
    asks: "The device that wrote can stay quiet: it hears nothing of its own write, or is named in `by`.",
    async run(bench) {
      const device = await bench.device();
      const socket = await watching(bench, device, [domain], device.name);
      await device.apply(create("mine"));
      const told = await news(socket, device, bench.patience.quietMs);
      must(told === undefined || told.by === device.name, `the writer hears ${JSON.stringify(told)}`);
      await bench.beside(device).apply(create("theirs"));
      has("the news of another's write", await news(socket, device), { index: 2 });
    },
  },
  {
    id: "socket/unwatched",
    rule,
    asks: "Domains that are not watched are not told of, and a new `watch` replaces the old one.",
    async run(bench) {
      const device = await bench.device();
      const socket = await watching(bench, device);
      await device.apply(create("x", {}, otherDomain));
      must(
        (await news(socket, device, bench.patience.quietMs)) === undefined,
        "news of a domain that is not watched came",
      );
      socket.send({ type: "watch", spaces: { [device.space]: [otherDomain] } });
      await heads(bench, socket, device);
      await device.apply(create("a"));
      await device.apply(create("y", {}, otherDomain));
      has("the news", await news(socket, device), { index: 3, domains: [otherDomain] });
    },
  },
  {
    id: "socket/heads",
    rule,
    asks: "`heads` comes at least every 30 seconds, with the newest index of each watched domain and the generation that it counts in.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      await device.apply(create("b", {}, otherDomain));
      await device.apply(create("c", {}, "conformance-third"));
      const socket = await bench.welcomed(device.caller, "watcher");
      socket.send({ type: "watch", spaces: { [device.space]: [domain, otherDomain] } });
      const { indexes, generation } = await heads(bench, socket, device);
      same("the heads", { ...indexes }, { [domain]: 1, [otherDomain]: 2 });
      same("their generation", generation, device.generation);
    },
  },
  {
    id: "socket/revoked",
    rule,
    asks: "A member who is removed hears `revoked`, and nothing more of the space.",
    async run(bench) {
      const device = await bench.device();
      await bench.admit(device.space, bench.second.user, "reader");
      const member = bench.beside(device, bench.nowMs, bench.second);
      const socket = await watching(bench, member);
      const path = `/v1/spaces/${device.space}/members/${encodeURIComponent(bench.second.user)}`;
      await bench.first.ask(path, { method: "DELETE" });
      await socket.next("revoked", ({ space }) => space === device.space, bench.patience.headsMs);
      await device.apply(create("a"));
      must(
        (await news(socket, device, bench.patience.quietMs)) === undefined,
        "who was removed hears news of the space",
      );
    },
  },
  {
    id: "socket/wiped",
    rule: "rule 12",
    asks: "A space that is wiped is told of, so that those who watch it ask.",
    async run(bench) {
      const device = await bench.device();
      const head = await device.apply(create("a"));
      const socket = await watching(bench, device);
      await bench.first.ask(`/v1/spaces/${device.space}`, { method: "DELETE" });
      const told = await news(socket, device);
      must(
        told !== undefined && told.index > head,
        `the news is ${JSON.stringify(told)}, and the head was ${head}`,
      );
    },
  },
  {
    id: "socket/exchange",
    rule,
    asks: "A small exchange over the socket is answered by the lines that HTTP would stream, or without lines; its event is handled once, whichever way it comes again.",
    async run(bench) {
      const device = await bench.device();
      const socket = await bench.welcomed(device.caller, device.name);
      const request = device.request({ cursors: { [domain]: 0 }, events: [device.event([create("a")])] });
      const token = device.caller.token;
      socket.send({ type: "exchange", id: 7, token, request });
      const { lines } = await socket.next("answer", ({ id }) => id === 7);
      const { spaces } = await device.caller.exchange(request);
      const status = lines === undefined ? {} : { status: "duplicate", of: "applied" };
      has("the answer by HTTP", spaces, [
        { outcomes: [{ index: 1, ...status }], rows: [{ key: "a", version: 1 }] },
      ]);
      if (lines === undefined) return;
      same(
        "the lines",
        lines.map(({ type }) => type ?? "row"),
        ["time", "space", "end", "done"],
      );
      has("the space's line", lines[1], {
        space: device.space,
        lastSeq: 1,
        outcomes: [{ status: "applied", index: 1 }],
      });
    },
  },
  {
    id: "socket/exchange-token",
    rule,
    asks: "An exchange over the socket with a token that is not good, or another user's, is answered without lines and not handled.",
    async run(bench) {
      const device = await bench.device();
      const socket = await bench.welcomed(device.caller, device.name);
      const tokens = ["nonsense", bench.second.token];
      for (const [id, token] of tokens.entries()) {
        const events = [{ ...device.event([create("a")]), seq: 1 }];
        socket.send({ type: "exchange", id, token, request: device.request({ events }) });
        const { lines } = await socket.next("answer", (answer) => answer.id === id);
        must(lines === undefined, "an exchange with a token that is not the socket's own is answered");
      }
      same("what is there", await device.rows(domain), []);
    },
  },
];
