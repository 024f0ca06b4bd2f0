import { type Client, type SpaceHandle, type UnsyncedWrite, createClient } from "@landfall/client";
import { defineSchema, records } from "@landfall/schema";
import { z } from "zod";
import { cutOff } from "../support/connections.js";

const schema = defineSchema({
  version: 1,
  domains: { note: records({ fields: z.object({ text: z.string() }) }) },
});
type Schema = typeof schema;

/** What became of the writes of a tab. */
interface Written {
  readonly saved: readonly string[];
  readonly refused: string | undefined;
}

/** One tab of an app whose server does not answer, with what a browser stores and how its tabs hear of each other. */
export interface TabsPage {
  readonly client: Client<Schema>;
  readonly space: SpaceHandle<Schema>;
  /** Reports of the client. */
  readonly reports: string[];
  readonly cutOff: typeof cutOff;
  /** Writes without a pause until the writing is stopped, or refused. */
  startWriting(): void;
  /** Ends it. @returns the ids of all events that were said to be saved, and why the last write was refused. */
  stopWriting(): Promise<Written>;
  /** @returns the ids of the events that it gives back, or the code of its error. */
  signOut(unsynced: "block" | "export"): Promise<readonly string[] | string>;
}

const reports: string[] = [];
const client = createClient({
  schema,
  url: location.origin,
  credentials: () => `dev:${new URLSearchParams(location.search).get("user") ?? "ann"}`,
  onReport: (code) => void reports.push(code),
});
const space = await client.space("site-7").open();

let writing: { readonly stop: AbortController; readonly written: Promise<Written> } | undefined;

async function write({ signal }: AbortController): Promise<Written> {
  const saved: string[] = [];
  const waiting: Promise<unknown>[] = [];
  let refused: string | undefined;
  for (let i = 0; !signal.aborted && refused === undefined; i++) {
    try {
      const { id, saved: stored } = space.note.create({ text: `note ${i}` });
      const heard = stored.then(
        () => saved.push(id),
        (error: unknown) => void (refused = String(error)),
      );
      waiting.push(heard);
      // Some writes wait for the one before, and some come while that is on its way.
      if (i % 3 === 0) await heard;
    } catch (error) {
      refused = String(error);
    }
  }
  await Promise.all(waiting);
  return { saved, refused };
}

const page: TabsPage = {
  client,
  space,
  reports,
  cutOff,
  startWriting() {
    const stop = new AbortController();
    writing = { stop, written: write(stop) };
  },
  async stopWriting() {
    writing?.stop.abort();
    return (await writing?.written) ?? { saved: [], refused: undefined };
  },
  async signOut(unsynced) {
    try {
      return (await client.signOut({ unsynced })).map(({ event }: UnsyncedWrite) => event.id);
    } catch (error) {
      return (error as { code: string }).code;
    }
  },
};
Object.assign(globalThis, { page });
