import { writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "@landfall/client";
import { sqliteStorage } from "@landfall/client/storage/sqlite";
import { schema, space, tallyOf, writeNumbered } from "./write-numbered.js";

// A client as a process of its own: writes without end, and says what has become durable before it goes on.

/** What a client process is told. */
export interface ClientArguments {
  readonly url: string;
  readonly file: string;
  /** Whose notes it writes. */
  readonly writer: string;
  /** Tells the notes of its lives apart. */
  readonly life: string;
}

/** What it says, a line each. */
export interface ClientLine {
  /** The name of a note that is safe on its disk. */
  readonly saved?: string;
  /** The name of a note that has its outcome, with the index where it was applied. */
  readonly settled?: string;
  readonly status?: string;
  readonly index?: number;
  readonly report?: string;
}

/** Events that wait for the server at most: the process would otherwise do nothing but write. */
const mostPending = 300;

const { url, file, writer, life } = JSON.parse(process.argv[2] ?? "") as ClientArguments;
// Written at once, so that what was said is known to whoever kills this.
const say = (line: ClientLine): void => void writeSync(1, `${JSON.stringify(line)}\n`);
const client = createClient({
  schema,
  url,
  credentials: () => "dev:ann",
  storage: sqliteStorage(file),
  onReport: (report) => say({ report }),
});
const site = await client.space(space).open();
/** A server that is down has its clients wait for seconds; asking anew does not. */
const urge = (): Promise<unknown> => client.sync().catch(() => pause(25));
while (!site.note.get(tallyOf(writer))) await urge();
for (let i = 0; ; i++) {
  const name = `${life}-${i}`;
  const receipt = writeNumbered(site, writer, name);
  const saved = receipt.saved.then(() => say({ saved: name }));
  void receipt.settled.then((outcome) => {
    const { status } = outcome;
    const isApplied = status === "applied" || (status === "duplicate" && outcome.of === "applied");
    say({ settled: name, status, ...(isApplied ? { index: outcome.index } : {}) });
  });
  // Runs of writes, and a queue that does not only grow.
  if (i % 7 === 6) await saved;
  if (i % 70 === 69) while (client.status.pending.count > mostPending / 10) await urge();
}
