import { writeSync } from "node:fs";
import { createClient } from "@landfall/client";
import { sqliteStorage } from "@landfall/client/storage/sqlite";
import { schema, space, tallyOf, writeNumbered } from "./write-numbered.js";

// A client as a process of its own: writes without end, and says what has become durable before it goes on.

const [, , url = "", file = "", life = ""] = process.argv;
// Written at once, so that what was said is known to whoever kills this.
const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`);
const client = createClient({
  schema,
  url,
  credentials: () => "dev:ann",
  storage: sqliteStorage(file),
  onReport: (report) => say({ report }),
});
const site = await client.space(space).open();
if (!site.note.get(tallyOf("phone"))) await client.sync();
for (let i = 0; ; i++) {
  const name = `${life}-${i}`;
  const receipt = writeNumbered(site, "phone", name);
  const saved = receipt.saved.then(() => say({ saved: name, id: receipt.id }));
  void receipt.settled.then(({ status }) => say({ settled: name, status }));
  // Runs of writes, and a queue that does not only grow.
  if (i % 7 === 6) await saved;
  if (i % 70 === 69) await receipt.settled;
}
