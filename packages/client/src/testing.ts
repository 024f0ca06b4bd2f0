import type { ClockPort } from "@landfall/protocol";
import type { Schema } from "@landfall/schema";
import type { ClientOptions } from "./client-options.js";
import { type Client, createClient } from "./client.js";
import { platformPorts } from "./platform.js";
import type { ClientPorts } from "./ports.js";
import type { SpaceHandle } from "./space/space-handle.js";
import { memoryStorage } from "./storage/memory.js";
import type { ClientStorageFactory } from "./storage/port.js";

export { type VirtualTime, createVirtualTime } from "./testing-time.js";

/** What a test world needs of a server: its fetch handler, in the same process. */
export interface TestServer {
  readonly handler: (request: Request) => Response | Promise<Response>;
}

/** A client of a test world, with a switch for its network. */
export interface TestClient<S extends Schema> {
  readonly client: Client<S>;
  open(space: string): Promise<SpaceHandle<S>>;
  /** Every request fails from here on, as without a network. */
  offline(): void;
  online(): void;
}

/** Clients in memory around one server in the same process, for tests of apps. */
export interface TestWorld<S extends Schema> {
  /** Makes a client of a user; each call is another device. */
  client(user: string, options?: Partial<ClientOptions<S>>): TestClient<S>;
  /** Makes every client that is online agree with the server. @throws what keeps one from it. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

const serverUrl = "http://landfall.test";

/**
 * Makes a world of clients in memory.
 *
 * @param options.token what a user signs in with; development tokens unless said.
 * @param options.storage makes the storage of each client; memory unless said.
 * @param options.clock the clock of all clients, which is to be the server's too; the platform's unless said. Where a
 *   test moves it, what is written after that is later, however slow the machine is.
 */
export function createTestWorld<S extends Schema>(options: {
  readonly schema: S;
  readonly server: TestServer;
  readonly token?: (user: string) => string;
  readonly storage?: () => ClientStorageFactory;
  readonly clock?: ClockPort;
}): TestWorld<S> {
  const { schema, server, token = (user: string) => `dev:${user}`, storage = memoryStorage, clock } = options;
  const clients: { readonly client: Client<S>; isOnline(): boolean }[] = [];
  return {
    client(user, overrides = {}) {
      let online = true;
      const listeners = new Set<() => void>();
      const platform = platformPorts();
      const ports: ClientPorts = {
        ...platform,
        clock: clock ?? platform.clock,
        net: {
          async fetch(url, init) {
            if (!online) throw new TypeError("The test client is offline.");
            const answer = await server.handler(new Request(url, { ...init, duplex: "half" } as RequestInit));
            if (!online) throw new TypeError("The test client went offline before the answer came.");
            return answer;
          },
          webSocket: undefined,
        },
        online: {
          isOnline: () => online,
          subscribe(listen) {
            listeners.add(listen);
            return () => listeners.delete(listen);
          },
        },
        locks: undefined,
        channel: undefined,
        notes: undefined,
      };
      const client = createClient<S>({
        schema,
        url: serverUrl,
        credentials: () => token(user),
        storage: storage(),
        ports,
        ...overrides,
      });
      clients.push({ client, isOnline: () => online });
      const turn = (on: boolean): void => {
        online = on;
        for (const listen of listeners) listen();
      };
      return {
        client,
        open: (space) => client.space(space, { create: true }).open(),
        offline: () => turn(false),
        online: () => turn(true),
      };
    },
    async settle() {
      // The first round brings every write to the server, the second brings it to the others.
      for (let round = 0; round < 2; round++)
        for (const { client, isOnline } of clients) if (isOnline()) await client.sync();
    },
    async close() {
      await Promise.all(clients.map(({ client }) => client.close()));
    },
  };
}
