import { createClient } from "@landfall/client";
import { cutOff } from "../support/connections.js";
import { space, schema, tallyOf, writeNumbered, written } from "./write-numbered.js";

// A tab of an app that writes without end, and says to whoever drives the browser what has become of it.

/** What a tab says, at the moment when it is so. */
export interface TabLine {
  /** The name of a note that is safe in the browser. */
  readonly saved?: string;
  /** The name of a note that has its outcome, with the index where it was applied. */
  readonly settled?: string;
  readonly status?: string;
  readonly index?: number;
  readonly report?: string;
  /** What no view may show. */
  readonly torn?: string;
}

/** What a tab can be told. */
export interface WritingPage {
  /** Writes no more; resolves when all that was written is safe. */
  stop(): Promise<void>;
  /** Resolves when the server and this tab have all of each other's. @throws what keeps it from that */
  sync(): Promise<void>;
  /** The whole view, as text that is equal where views are. */
  view(): string;
  pending(): number;
  inbox(): number;
  readonly cutOff: typeof cutOff;
}

declare const said: (line: TabLine) => Promise<void>;

/** Events that wait for the server at most. */
const mostPending = 300;
const pauseMs = 60;
/** Between two looks at the whole view; it is looked at in the midst of a change. */
const lookEveryMs = 250;

const query = new URLSearchParams(location.search);
const writer = query.get("writer") ?? "";
/** Another one after a reload: no two notes have one name. */
const tab = `${query.get("tab")}.${performance.timeOrigin}`;

const say = (line: TabLine): void => void said(line);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const client = createClient({
  schema,
  url: location.origin,
  credentials: () => "dev:ann",
  onReport: (code, message) => say({ report: `${code}: ${message}` }),
});
const site = await client.space(space).open();

let lookedAt = 0;
site.note.watch(() => {
  if (performance.now() - lookedAt < lookEveryMs) return;
  lookedAt = performance.now();
  const { names, count = 0 } = written(site, writer);
  if (names.length !== count)
    say({ torn: `${writer} has ${names.length} notes and counts ${count} in ${tab}` });
});

const stopping = new AbortController();
const writing = (async (): Promise<void> => {
  const { signal } = stopping;
  while (!signal.aborted && !site.note.get(tallyOf(writer))) await pause(pauseMs);
  const safe: Promise<void>[] = [];
  for (let i = 0; !signal.aborted; i++) {
    const name = `${tab}-${i}`;
    const receipt = writeNumbered(site, writer, name);
    safe.push(receipt.saved.then(() => say({ saved: name })));
    void receipt.settled.then((outcome) => {
      const { status } = outcome;
      const isApplied = status === "applied" || (status === "duplicate" && outcome.of === "applied");
      say({ settled: name, status, ...(isApplied ? { index: outcome.index } : {}) });
    });
    // Runs of writes, and a queue that does not only grow.
    if (i % 4 === 3) await pause(pauseMs);
    while (!signal.aborted && client.status.pending.count > mostPending) await pause(pauseMs);
  }
  await Promise.all(safe);
})();

const page: WritingPage = {
  stop() {
    stopping.abort();
    return writing;
  },
  sync: () => client.sync(),
  view: () =>
    JSON.stringify(
      site.note.all().map(({ key, text, count, $ }) => [key, text, count, $.version, $.pending]),
    ),
  pending: () => client.status.pending.count,
  inbox: () => site.inbox.current.length,
  cutOff,
};
Object.assign(globalThis, { page });
