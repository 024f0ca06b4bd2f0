import { type Client, type SpaceHandle, createClient } from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";
import { defineSchema, records } from "@landfall/schema";
import type { ReactNode } from "react";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  LandfallProvider,
  useAction,
  useClient,
  useInbox,
  useRecord,
  useRecords,
  useSpace,
  useSyncStatus,
} from "./index.js";

const schema = defineSchema({
  version: 1,
  domains: { note: records({ fields: z.object({ text: z.string() }) }) },
});
type Schema = typeof schema;

/** Everything that a page of an app shows. */
function Notes({
  client,
  space,
}: {
  readonly client: Client<Schema> | undefined;
  readonly space?: SpaceHandle<Schema>;
}): ReactNode {
  const opening = useSpace(client, "s");
  const shown = space ?? opening.space;
  const notes = useRecords(shown?.note, { where: { text: "here" } });
  const note = useRecord(shown?.note, "n1");
  const inbox = useInbox(shown?.inbox);
  const status = useSyncStatus();
  const pending = useSyncStatus(({ pending }) => pending.count);
  const [, progress] = useAction(shown?.note.create);
  return (
    <p>
      {[
        opening.state,
        notes.length,
        note?.text ?? "none",
        inbox.length,
        status.reason,
        pending,
        progress.state,
      ].join("|")}
    </p>
  );
}

const page = (client: Client<Schema> | undefined, space?: SpaceHandle<Schema>): string =>
  renderToString(
    <LandfallProvider client={client}>
      <Notes client={client} {...(space ? { space } : {})} />
    </LandfallProvider>,
  );

describe("on a server", () => {
  const touched: string[] = [];

  beforeEach(() => {
    touched.length = 0;
    const trap = new Proxy({}, { get: (_target, name) => void touched.push(String(name)) });
    Object.defineProperty(globalThis, "indexedDB", { value: trap, configurable: true });
  });
  afterEach(() => {
    Reflect.deleteProperty(globalThis, "indexedDB");
  });

  test("everything renders without a client, as it is before anything is opened", () => {
    expect(page(undefined)).toBe("<p>opening|0|none|0|Opening.|0|idle</p>");
    expect(touched).toEqual([]);
  });

  test("a client changes nothing of that: no space is opened and nothing stored is read", async () => {
    const client = createClient({
      schema,
      url: "http://127.0.0.1:9",
      credentials: () => null,
      storage: memoryStorage(),
    });
    const space = await client.space("s").open();
    space.note.create({ text: "here" }, { key: "n1" });
    expect(page(client)).toBe(page(undefined));
    expect(page(client, space)).toBe(page(undefined));
    expect(touched).toEqual([]);
    await client.close();
  });
});

describe("what is missing is said", () => {
  function NeedsClient(): ReactNode {
    useClient();
    return null;
  }

  test("no provider", () => {
    expect(() => renderToString(<NeedsClient />)).toThrow("Wrap the app in <LandfallProvider");
  });

  test("a provider without a client", () => {
    const bare = (
      <LandfallProvider client={undefined}>
        <NeedsClient />
      </LandfallProvider>
    );
    expect(() => renderToString(bare)).toThrow("has no client");
  });
});
