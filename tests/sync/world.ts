import {
  type Client,
  type ClientOptions,
  type ClientPorts,
  type ClientStorageFactory,
  type SpaceHandle,
  createClient,
  platformPorts,
} from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";
import { type Json, type SpaceRequest, canonicalJson, decodeText, exchangeRequest } from "@landfall/protocol";
import { counter, defineSchema, records, set } from "@landfall/schema";
import { type Authenticator, type ServerOptions, createServer, devTokens } from "@landfall/server";
import { type StandingTime, openStandingTime } from "@landfall/server/standing-time.fixture";
import { verify } from "@landfall/server/operations";
import { type SqliteStorage, sqlite } from "@landfall/server/storage/sqlite";
import { z } from "zod";

/** The fields of a note, one of each kind of merge among them. */
export const noteFields = z.object({
  text: z.string(),
  body: z.string().optional(),
  votes: z.number(),
  marks: z.array(z.string()),
});
export const noteMerge = { votes: counter(), marks: set() };

const schema = defineSchema({
  version: 1,
  domains: { note: records({ fields: noteFields, merge: noteMerge }) },
  actions: (action) => ({
    /** Writes a text and a body, whatever the record had. */
    rewrite: action(z.object({ key: z.string(), text: z.string() }), async (tx, { key, text }) => {
      tx.note.update(key, { text, body: `about ${text}` });
    }),
    /** Makes a record that says what it has read of another. */
    quote: action(z.object({ key: z.string(), of: z.string() }), async (tx, { key, of }) => {
      const note = await tx.note.get(of);
      tx.note.create({ text: note?.text ?? "nothing" }, { key });
    }),
  }),
});
export type NoteSpace = SpaceHandle<typeof schema>;

export const space = "site-7";

/** A server in this process, and a ledger of what clients have sent to it. */
export interface Place {
  readonly server: ReturnType<typeof createServer<typeof schema>>;
  /** For the server and all devices. */
  readonly time: StandingTime;
  readonly storage: SqliteStorage;
  /** Sends of one seq of a device under two ids: a cloned installation, or a fault. */
  readonly clashes: string[];
  /** The ids that devices sent events under. */
  readonly senders: Set<string>;
  /** What was asked of spaces, in order. */
  readonly asked: SpaceRequest[];
  /** Makes an installation of a user, with storage, clock and network of its own. */
  device(options?: DeviceOptions): Device;
  /** The server ends, and another goes on with that data at the same address. @param storage a function where it is the file of the one that ends */
  replaceServer(storage: SqliteStorage | (() => SqliteStorage), itsOptions?: ServerChange): Promise<void>;
  close(): Promise<void>;
}

/** What another server does otherwise. */
export type ServerChange = Pick<ServerOptions<typeof schema>, "recoveryMs" | "limits" | "schema">;

export interface DeviceOptions {
  readonly user?: string;
  readonly storage?: ClientStorageFactory;
  readonly ports?: Partial<ClientPorts>;
  readonly client?: Partial<ClientOptions<typeof schema>>;
  /** Whether the network is there from the start; it is unless said. */
  readonly online?: boolean;
}

export interface Device {
  readonly client: Client<typeof schema>;
  /** Codes of what the client told whoever looks after the app. */
  readonly reports: string[];
  open(id?: string): Promise<NoteSpace>;
  offline(): void;
  online(): void;
  /** Requests reach the server, and their answers get lost. */
  deafen(): void;
  /** What is sent stops before the server, or its answer after it, until the device thaws. */
  freeze(where: "before" | "after"): void;
  thaw(): void;
  /** From here on the server refuses what is asked at this address. */
  refuse(path: string): void;
  /** How many exchanges this device has begun. */
  readonly exchanges: number;
}

export function openPlace({
  auth = devTokens(),
  storage: first = sqlite(":memory:"),
  server: options = {},
}: {
  readonly auth?: Authenticator;
  readonly storage?: SqliteStorage;
  readonly server?: Partial<ServerOptions<typeof schema>>;
} = {}): Place {
  const time = openStandingTime();
  const { clock, timers } = time;
  const serve = (storage: SqliteStorage, itsOptions: ServerChange = {}) =>
    createServer({ schema, auth, development: true, clock, timers, ...options, ...itsOptions, storage });
  let storage = first;
  let server = serve(storage);
  const clashes: string[] = [];
  const senders = new Set<string>();
  const asked: SpaceRequest[] = [];
  const ids = new Map<string, string>();
  const clients: Client<typeof schema>[] = [];
  const keepLedger = (body: string): void => {
    const request = decodeText(exchangeRequest, body);
    if (!request.ok) throw new Error(`A client sent what cannot be read: ${request.message}`);
    const { device, spaces } = request.value;
    asked.push(...spaces);
    for (const part of spaces) {
      for (const { seq, id } of (part.events ?? []) as readonly {
        readonly seq: number;
        readonly id: string;
      }[]) {
        const at = `${part.space} ${part.generation} ${device} ${seq}`;
        if ((ids.get(at) ?? id) !== id) clashes.push(at);
        ids.set(at, id);
        senders.add(device);
      }
    }
  };
  return {
    get server() {
      return server;
    },
    get storage() {
      return storage;
    },
    time,
    clashes,
    senders,
    asked,
    device(options = {}) {
      const { user = "ann" } = options;
      const network = openNetwork(options.online === false ? "off" : "on", async (url, init) => {
        if (url.endsWith("/v1/exchange")) keepLedger(init.body as string);
        return server.handler(new Request(url, init));
      });
      const reports: string[] = [];
      const client = createClient({
        schema,
        url: "http://landfall.test",
        credentials: () => `dev:${user}`,
        storage: options.storage ?? memoryStorage(),
        onReport: (code) => reports.push(code),
        ports: {
          ...platformPorts(),
          clock,
          uptime: clock,
          timers,
          net: { fetch: network.fetch, webSocket: undefined },
          online: network.hints,
          locks: undefined,
          channel: undefined,
          notes: undefined,
          ...options.ports,
        },
        ...options.client,
      });
      clients.push(client);
      return {
        client,
        reports,
        open: (id = space) => client.space(id, { create: true }).open(),
        offline: () => network.turn("off"),
        online: () => network.turn("on"),
        deafen: () => network.turn("deaf"),
        freeze: network.freeze,
        thaw: network.thaw,
        refuse: network.refuse,
        get exchanges() {
          return network.exchanges;
        },
      };
    },
    async replaceServer(other, itsOptions) {
      await server.close();
      storage = typeof other === "function" ? other() : other;
      server = serve(storage, itsOptions);
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      const { findings } = await storage.read((snapshot) => verify(snapshot));
      await server.close();
      if (findings.length > 0) throw new Error(`The server's data is damaged: ${JSON.stringify(findings)}`);
    },
  };
}

/** Nothing comes through; everything does; or only what is sent. */
type Reach = "off" | "on" | "deaf";

/** A network that can be turned off; an answer that is under way then is lost. */
function openNetwork(begin: Reach, reach: (url: string, init: RequestInit) => Promise<Response>) {
  let state = begin;
  const listeners = new Set<() => void>();
  const frozen = { before: Promise.resolve(), after: Promise.resolve() };
  let thaw = (): void => {};
  let exchanges = 0;
  let refused: string | undefined;
  return {
    refuse: (path: string) => (refused = path),
    freeze: (where: "before" | "after") => {
      frozen[where] = new Promise((resolve) => (thaw = resolve));
    },
    thaw: () => thaw(),
    get exchanges() {
      return exchanges;
    },
    turn(to: Reach) {
      state = to;
      for (const listen of listeners) listen();
    },
    async fetch(url: string, init: RequestInit): Promise<Response> {
      if (url.endsWith("/v1/exchange")) exchanges += 1;
      if (refused !== undefined && url.endsWith(refused))
        return new Response('{"code":"too_large","title":"Too Large","status":413}', { status: 413 });
      if (state === "off") throw new TypeError("There is no network.");
      await frozen.before;
      const answer = await reach(url, init);
      await frozen.after;
      if (state === "on") return answer;
      // A server that streams goes on only as far as somebody takes what it says.
      await answer.arrayBuffer();
      throw new TypeError("The network went before the answer came.");
    },
    hints: {
      isOnline: () => state !== "off",
      subscribe(listen: () => void) {
        listeners.add(listen);
        return () => listeners.delete(listen);
      },
    },
  };
}

/** The whole view, versions included, as canonical bytes. */
export const bytesOf = (site: NoteSpace): string => canonicalJson(site.note.all() as unknown as Json);

/** Two rounds: the first brings every write to the server, the second brings it to the others. */
export async function settle(...devices: readonly Device[]): Promise<void> {
  for (let round = 0; round < 2; round++) for (const { client } of devices) await client.sync();
}

/** Makes the two records that `probe` writes to. */
export async function makeProbe(device: Device, id = space): Promise<void> {
  const site = await device.open(id);
  site.note.create({ text: "how many" }, { key: "count" });
  site.note.create({ text: "which" }, { key: "log" });
  await device.client.sync();
}

/** One event that counts itself and leaves its name: whether it was applied not at all, once or more often shows. */
export const probe = (site: NoteSpace, name: string) =>
  site.write((tx) => {
    tx.note.increment("count", { votes: 1 });
    tx.note.add("log", { marks: [name] });
  });

/** What the probes have left: their names, and how often one was applied. */
export function probed(site: NoteSpace): {
  readonly names: readonly string[];
  readonly count: number | undefined;
} {
  return { names: (site.note.get("log")?.marks ?? []).toSorted(), count: site.note.get("count")?.votes };
}
