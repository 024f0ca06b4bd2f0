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
import { type Json, canonicalJson, decodeText, exchangeRequest } from "@landfall/protocol";
import { counter, defineSchema, records, set } from "@landfall/schema";
import { type Authenticator, createServer, devTokens, sqlite } from "@landfall/server";
import { z } from "zod";

/** One kind of record with a field of each kind of merge. */
export const schema = defineSchema({
  version: 1,
  domains: {
    note: records({
      fields: z.object({
        text: z.string(),
        body: z.string().optional(),
        votes: z.number(),
        marks: z.array(z.string()),
      }),
      merge: { votes: counter(), marks: set() },
    }),
  },
});
export type NoteSpace = SpaceHandle<typeof schema>;

export const space = "site-7";

/** A server in this process, and a ledger of what clients have sent to it. */
export interface Place {
  readonly server: ReturnType<typeof createServer<typeof schema>>;
  readonly storage: ReturnType<typeof sqlite>;
  /** Sends of one seq of a device under two ids: a cloned installation, or a fault. */
  readonly clashes: string[];
  /** Makes an installation of a user, with storage, clock and network of its own. */
  device(options?: DeviceOptions): Device;
  close(): Promise<void>;
}

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
}

export function openPlace(auth: Authenticator = devTokens()): Place {
  const storage = sqlite(":memory:");
  const server = createServer({ schema, storage, auth, development: true });
  const clashes: string[] = [];
  const ids = new Map<string, string>();
  const clients: Client<typeof schema>[] = [];
  const keepLedger = (body: string): void => {
    const request = decodeText(exchangeRequest, body);
    if (!request.ok) throw new Error(`A client sent what cannot be read: ${request.message}`);
    const { device, spaces } = request.value;
    for (const part of spaces) {
      for (const { seq, id } of (part.events ?? []) as readonly {
        readonly seq: number;
        readonly id: string;
      }[]) {
        const at = `${part.space} ${part.generation} ${device} ${seq}`;
        if ((ids.get(at) ?? id) !== id) clashes.push(at);
        ids.set(at, id);
      }
    }
  };
  return {
    server,
    storage,
    clashes,
    device(options = {}) {
      const { user = "ann" } = options;
      const network = openNetwork(options.online ?? true, async (url, init) => {
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
        offline: () => network.turn(false),
        online: () => network.turn(true),
      };
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await server.close();
    },
  };
}

/** A network that can be turned off; an answer that is under way then is lost. */
function openNetwork(on: boolean, reach: (url: string, init: RequestInit) => Promise<Response>) {
  let isOn = on;
  const listeners = new Set<() => void>();
  return {
    turn(to: boolean) {
      isOn = to;
      for (const listen of listeners) listen();
    },
    async fetch(url: string, init: RequestInit): Promise<Response> {
      if (!isOn) throw new TypeError("There is no network.");
      const answer = await reach(url, init);
      if (!isOn) throw new TypeError("The network went before the answer came.");
      return answer;
    },
    hints: {
      isOnline: () => isOn,
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
