import { listMembers, removeMember, setMember } from "./access/members.js";
import { readableSpace } from "./access/readable-space.js";
import { createSpace, info, inspect, listSpaces, wipeSpace } from "./access/spaces.js";
import { upgradeSpace } from "./apply/upgrade.js";
import { type Core, makeCore } from "./core.js";
import type {
  AnyTx,
  Engine,
  EngineStats,
  MembershipChange,
  RowsPage,
  RowsQuery,
  SpaceCommit,
  SpaceHeads,
  SpacePosition,
  User,
} from "./engine-types.js";
import { Exchange } from "./exchange/exchange.js";
import { pullRows } from "./exchange/plain-pull.js";
import { reconcile } from "./exchange/reconcile.js";
import { ReconcileIndexes } from "./exchange/reconcile-index.js";
import { writeAsServer } from "./exchange/server-write.js";
import { chain } from "./maybe-promise.js";
import { Retention } from "./operations/retention.js";
import type { EngineOptions } from "./options.js";

/** Makes the core of a server: what HTTP, the hub and the command line stand on. Closing it closes its storage. */
export function createEngine(options: EngineOptions): Engine {
  const core = makeCore(options);
  const exchange = new Exchange(core);
  const indexes = new ReconcileIndexes(core);
  const commits = new Listeners<SpaceCommit>(core);
  const memberships = new Listeners<MembershipChange>(core);
  const retention = new Retention(options.retention ?? {}, { ...core, sightings: exchange.sightings });
  core.storage.onCommit((commit) => commits.tell(commit));
  return {
    exchange: (user, request, signal) => exchange.answer(user, request, signal),
    exchangeStream: (user, request, signal) => exchange.stream(user, request, signal),
    rows: (user, query) => rows(core, user, query),
    async reconcile(user, request) {
      const { text, rows: sent } = await reconcile(core, indexes, user, request);
      exchange.counts.rowsSent += sent;
      return text;
    },
    info: (user) => info(core, user),
    spaces: (user) => listSpaces(core, user),
    async createSpace(user, space) {
      const created = await createSpace(core, user, space);
      memberships.tell({ space: created.space, user: user.id, role: created.role });
      return created;
    },
    wipeSpace: (user, space) => wipeSpace(core, user, space),
    members: (user, space) => listMembers(core, user, space),
    async setMember(user, space, member, role) {
      if (await setMember(core, user, space, member, role)) memberships.tell({ space, user: member, role });
    },
    async removeMember(user, space, member) {
      await removeMember(core, user, space, member);
      memberships.tell({ space, user: member });
    },
    heads: (user, space, domains) => heads(core, user, space, domains),
    position: (user, space, device) => position(core, user, space, device),
    mayRead: (user, space) => mayRead(core, user, space),
    space: (space) => ({ write: (change: (tx: AnyTx) => never) => writeAsServer(core, space, change) }),
    onCommit: (listener) => commits.add(listener),
    onMembership: (listener) => memberships.add(listener),
    inspect: () => inspect(core, exchange.sightings),
    stats: () => stats(core, exchange, retention),
    startSweeping: () => retention.start(),
    sweep: () => retention.sweep(),
    async close() {
      await retention.stop();
      await core.storage.close();
    },
  };
}

/** Listeners that cannot harm each other, or what they listen to. */
class Listeners<T> {
  readonly #listeners = new Set<(news: T) => void>();

  constructor(private readonly core: Core) {}

  add(listener: (news: T) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(news: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(news);
      } catch (error) {
        this.core.logger.error("a listener of the engine failed", { error });
      }
    }
  }
}

async function rows(core: Core, user: User, query: RowsQuery): Promise<RowsPage> {
  for (;;) {
    const page = await core.storage.read((snapshot) => pullRows(core, snapshot, user, query));
    if (page !== "upgrade") return page;
    await core.storage.write(query.space, (transaction) => upgradeSpace(core, query.space, transaction));
  }
}

function position(core: Core, user: User, space: string, device: string): Promise<SpacePosition> {
  return core.storage.read((snapshot) =>
    chain(readableSpace(snapshot, user, space, device), ({ state, domains, writer }) => ({
      generation: state.generation,
      head: state.head,
      heads: Object.fromEntries(domains.map((domain) => [domain.domain, domain.head])),
      lastSeq: writer?.lastSeq ?? 0,
    })),
  );
}

function heads(core: Core, user: User, space: string, domains: readonly string[]): Promise<SpaceHeads> {
  return core.storage.read((snapshot) =>
    chain(readableSpace(snapshot, user, space), ({ state, domains: written }) => {
      const byName = new Map(written.map(({ domain, head }) => [domain, head]));
      return {
        generation: state.generation,
        heads: Object.fromEntries(domains.map((domain) => [domain, byName.get(domain) ?? 0])),
      };
    }),
  );
}

function mayRead(core: Core, user: User, space: string): Promise<boolean> {
  return core.storage.read((snapshot) =>
    chain(snapshot.space(space, user.id), (found) => found?.role !== undefined && found.role !== "former"),
  );
}

function stats(core: Core, { counts }: Exchange, retention: Retention): EngineStats {
  return {
    exchanges: counts.exchanges,
    events: Object.fromEntries(counts.events),
    rowsSent: counts.rowsSent,
    ...core.storage.stats(),
    retention: retention.counts,
  };
}
