import { type AskedEvent, allOutcomes } from "@landfall/protocol";
import type { Call, Loose, Reply, Tampering } from "./broken-server.fixture.js";

// The ways of being wrong that the kit's test gives to a server, and what each tampers with.

export interface LooseSpace extends Loose {
  rows: LooseRow[];
  outcomes: LooseOutcome[];
  cursors: { [domain: string]: number };
  digests?: { [domain: string]: { sum: string } };
  scan?: object;
  more: boolean;
  head: number;
  lastSeq: number;
  error?: Loose;
}
export interface LooseRow extends Loose {
  key: string;
  version: number;
  modifiedAt: number;
  fields?: Loose;
  stamps?: Loose;
  deleted?: boolean;
}
export interface LooseOutcome extends Loose {
  id: string;
  seq: number;
  status: string;
  code?: string;
}
export interface LooseEvent extends Loose {
  id: string;
  seq: number;
  ops?: Loose[];
}

export const isExchange = ({ path }: Call): boolean => path === "/v1/exchange";

function parsedBody(call: Call): Loose | undefined {
  try {
    return JSON.parse(call.body.toString("utf8")) as Loose;
  } catch {
    return undefined;
  }
}

/** Changes the body of a request of JSON. */
export function changeBody(call: Call, change: (body: Loose) => void): void {
  const body = parsedBody(call);
  if (typeof body !== "object" || body === null) return;
  change(body);
  call.body = Buffer.from(JSON.stringify(body));
}

/** The spaces of a request's body, as far as there are any. */
function spacesOf(body: Loose): Loose[] {
  return Array.isArray(body["spaces"]) ? (body["spaces"] as Loose[]) : [];
}

/** Changes the space of each exchange on its way to the server. */
export const asking = (change: (space: Loose, call: Call) => void): Tampering => ({
  request(call) {
    if (!isExchange(call)) return;
    changeBody(call, (body) => {
      for (const space of spacesOf(body)) change(space, call);
    });
  },
});

/** Changes each op on its way to the server. */
export const ops = (change: (op: Loose) => void): Tampering =>
  asking((space) => {
    for (const event of (space["events"] as (LooseEvent | null)[] | undefined) ?? [])
      if (Array.isArray(event?.ops)) for (const op of event.ops) if (op !== null) change(op);
  });

export function changeAnswer(reply: Reply, change: (body: Loose) => void): void {
  try {
    const body = JSON.parse(reply.text) as Loose;
    change(body);
    reply.text = JSON.stringify(body);
  } catch {
    // No JSON: lines, or nothing.
  }
}

/** Changes the space of each exchange's answer; every outcome stands by itself there. */
export const answering = (change: (space: LooseSpace, asked: Loose) => void): Tampering => ({
  answer(reply, call) {
    if (!isExchange(call)) return;
    const asked = spacesOf(parsedBody(call) ?? {});
    changeAnswer(reply, (body) =>
      (spacesOf(body) as LooseSpace[]).forEach((space, at) => {
        const { events = [] } = asked[at] ?? {};
        if (space["runs"] !== undefined)
          space.outcomes = allOutcomes(space as never, events as AskedEvent[]) as never;
        delete space["runs"];
        change(space, asked[at] ?? {});
      }),
    );
  },
});

/** Changes the rows of exchanges. */
export const rows = (change: (row: LooseRow, at: number) => void): Tampering =>
  answering((space) => space.rows?.forEach(change));

/** Changes the outcomes of exchanges. */
export const outcomes = (change: (outcome: LooseOutcome) => void): Tampering =>
  answering((space) => space.outcomes?.forEach(change));

/** Says another thing where a code would stand. */
export const outcomeInPlaceOf = (code: string, instead: Loose): Tampering =>
  outcomes((outcome) => {
    if (outcome.code !== code) return;
    delete outcome.code;
    Object.assign(outcome, instead);
  });

/** Gives a whole answer another status. */
export const status = (from: number, to: number): Tampering => ({
  answer(reply) {
    if (reply.status === from) reply.status = to;
  },
});

/** Takes a parameter out of the query of pulls. */
export const without = (parameter: string): Tampering => ({
  request(call) {
    call.path = call.path.replace(new RegExp(`&${parameter}=[^&]*`), "");
  },
});

/** Changes the lines of streams; undefined leaves a line out. */
export const lines = (change: (line: Loose) => Loose | undefined): Tampering => ({
  answer(reply) {
    if (!(reply.headers.get("content-type") ?? "").startsWith("application/x-ndjson")) return;
    const kept = reply.text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => change(JSON.parse(line) as Loose))
      .filter((line) => line !== undefined);
    reply.text = kept.map((line) => `${JSON.stringify(line)}\n`).join("");
  },
});

/** Gives every event a new id and the next seq of a count of its own, so that nothing is ever seen twice. */
export function forgetful(): Tampering {
  const counts = new Map<string, number>();
  const originals = new Map<string, { readonly id: string; readonly seq: number }>();
  return {
    request(call) {
      if (!isExchange(call)) return;
      changeBody(call, (body) => {
        for (const space of spacesOf(body)) {
          const name = `${String(body["device"])} ${String(space["space"])} ${String(space["generation"])}`;
          for (const event of (space["events"] as LooseEvent[] | undefined) ?? []) {
            const seq = (counts.get(name) ?? 0) + 1;
            counts.set(name, seq);
            const id = event.id.slice(0, 24) + (originals.size + 1).toString(16).padStart(12, "0");
            originals.set(id, { id: event.id, seq: event.seq });
            Object.assign(event, { id, seq });
          }
        }
      });
    },
    ...answering((space) => {
      for (const outcome of space.outcomes ?? []) Object.assign(outcome, originals.get(outcome.id));
    }),
  };
}

/** Stamps every event with the time at which it arrives: the last to arrive wins. */
export function lastToArrive(): Tampering {
  const originals = new Map<string, string>();
  let count = 0;
  return {
    request(call) {
      if (!isExchange(call)) return;
      changeBody(call, (body) => {
        for (const space of spacesOf(body))
          for (const event of (space["events"] as LooseEvent[] | undefined) ?? []) {
            count += 1;
            const time = (1_700_000_000_000 + count).toString(16).padStart(12, "0");
            const id = `${time.slice(0, 8)}-${time.slice(8)}-7000-${event.id.slice(19)}`;
            originals.set(id, event.id);
            event.id = id;
          }
      });
    },
    answer(reply) {
      for (const [id, original] of originals) reply.text = reply.text.replaceAll(id, original);
    },
  };
}

/** Holds the last row of a page back for the next one, so that a version may be split. */
export function splitting(): Tampering {
  const held = new Map<string, LooseRow>();
  return answering((space) => {
    const name = String(space["space"]);
    const before = held.get(name);
    held.delete(name);
    if (space.more && space.rows.length > 1) held.set(name, space.rows.pop() as LooseRow);
    if (before) space.rows.unshift(before);
  });
}

/** Remembers the spaces that are made. */
export function remembering(then: (spaces: ReadonlySet<string>) => Tampering): Tampering {
  const spaces = new Set<string>();
  const inner = then(spaces);
  return {
    ...inner,
    answer(reply, call) {
      if (reply.status === 201) spaces.add((JSON.parse(reply.text) as { space: string }).space);
      inner.answer?.(reply, call);
    },
  };
}
