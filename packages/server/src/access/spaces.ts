import { type Info, type Role, isIdentifier, protocolVersion, randomIdentifier } from "@landfall/protocol";
import type { Core } from "../core.js";
import type { SpaceInspection, SpaceSummary, User } from "../engine-types.js";
import { LandfallError, spaceNotFound } from "../landfall-error.js";
import type { Snapshot, SpaceState, WriterState } from "../storage/port.js";
import type { Sightings } from "./sightings.js";

/** Makes a space owned by the user. @throws LandfallError `not_available`: the only thing that a stranger can learn (DESIGN §15). */
export async function createSpace(
  core: Core,
  user: User,
  requested: string | undefined,
): Promise<{ readonly space: string; readonly role: Role; readonly generation: string }> {
  const space = requested ?? randomIdentifier(core.random);
  if (!isIdentifier(space))
    throw new LandfallError("invalid_request", "space: expected 1–128 characters of A–Z a–z 0–9 . _ ~ : -");
  const generation = randomIdentifier(core.random);
  const now = Math.floor(core.clock.now());
  await core.storage.write(space, async (transaction) => {
    if (await transaction.open("server", user.id))
      throw new LandfallError(
        "not_available",
        `The id ${space} cannot be had. Choose another, or let the server make one.`,
      );
    const state = {
      generation,
      head: 0,
      receivedMs: 0,
      receivedCounter: 0,
      modifiedAt: 0,
      schema: core.schema?.version ?? 0,
      lookups: core.lookupDeclaration,
    };
    await transaction.startGeneration(
      { generation, reason: "created", parent: undefined, at: 0, startedAt: now },
      state,
      false,
    );
    await transaction.saveMember({ user: user.id, role: "owner", since: now });
  });
  return { space, role: "owner", generation };
}

/**
 * Empties a space under a new generation (DESIGN rule 12). Indexes go on from where they were, so that a poke
 * of the new generation is not taken for an old one.
 */
export async function wipeSpace(
  core: Core,
  user: User,
  space: string,
): Promise<{ readonly generation: string }> {
  const generation = randomIdentifier(core.random);
  await core.storage.write(space, async (transaction) => {
    const opened = await transaction.open("server", user.id);
    if (!opened) throw spaceNotFound();
    requireOwner(opened.role);
    const { state } = opened;
    const modifiedAt =
      opened.commitModifiedAt ??
      Math.max(Math.floor(core.clock.now()), state.modifiedAt + 1, state.receivedMs + 1);
    const index = state.head + 1;
    const wiped: SpaceState = {
      generation,
      head: index,
      receivedMs: Math.max(state.receivedMs, modifiedAt),
      receivedCounter: 0,
      modifiedAt,
      schema: core.schema?.version ?? 0,
      lookups: core.lookupDeclaration,
    };
    await transaction.startGeneration(
      { generation, reason: "wiped", parent: state.generation, at: state.head, startedAt: modifiedAt },
      wiped,
      true,
    );
    const domains = opened.domains.map(({ domain, head }) => ({ domain, from: head }));
    transaction.publish(generation, [
      { index, modifiedAt, by: "server", user: user.id, seq: 0, domains, rows: undefined },
    ]);
  });
  return { generation };
}

/** @throws LandfallError `not_found` for whoever may not know of the space, `forbidden` for its other members. */
export function requireOwner(role: Role | "former" | undefined): void {
  if (role === undefined || role === "former") throw spaceNotFound();
  if (role !== "owner") throw new LandfallError("forbidden", "Only an owner of the space may do that.");
}

export async function listSpaces(core: Core, user: User): Promise<readonly SpaceSummary[]> {
  const memberships = await core.storage.read((snapshot) => snapshot.memberships(user.id));
  return memberships.map(({ space, role, state }) => ({
    space,
    role,
    head: state.head,
    generation: state.generation,
  }));
}

export async function info(core: Core, user: User): Promise<Info> {
  const memberships = await core.storage.read((snapshot) => snapshot.memberships(user.id));
  const { maxEventsPerRequest, maxBodyBytes, maxBatchBytes, maxPageRows } = core.limits;
  return {
    time: Math.floor(core.clock.now()),
    protocol: protocolVersion,
    server: core.name,
    ...(core.schema ? { schema: core.schema.version } : {}),
    user: user.id,
    limits: { maxEventsPerRequest, maxBodyBytes, maxBatchBytes, maxPageRows },
    spaces: Object.fromEntries(
      memberships.map(({ space, role, state, members }) => [
        space,
        { role, generation: state.generation, head: state.head, members },
      ]),
    ),
  };
}

export async function inspect(core: Core, sightings: Sightings): Promise<readonly SpaceInspection[]> {
  const spaces = await core.storage.read((snapshot) => snapshot.spaces());
  const inspections: SpaceInspection[] = [];
  for (const space of spaces) {
    const inspection = await core.storage.read((snapshot) => inspectSpace(snapshot, space, sightings));
    if (inspection) inspections.push(inspection);
  }
  return inspections;
}

/** What `landfall inspect` shows of one space; undefined where there is none. */
export async function inspectSpace(
  snapshot: Snapshot,
  space: string,
  sightings?: Sightings,
): Promise<SpaceInspection | undefined> {
  const found = await snapshot.space(space, "");
  if (!found) return undefined;
  const { generation, head, schema } = found.state;
  const members = await snapshot.members(space);
  const writers = await snapshot.writers(space, generation);
  const [newest] = await snapshot.generations(space);
  const { reason, at, startedAt } = newest ?? { reason: "created", at: 0, startedAt: 0 };
  return {
    space,
    generation,
    head,
    schema,
    began: { reason, at, startedAt },
    members: members.flatMap(({ user, role, since }) => (role ? [{ user, role, since }] : [])),
    domains: found.domains.map(({ domain, head: domainHead, count, sum, horizon }) => ({
      domain,
      head: domainHead,
      live: count,
      digest: sum,
      horizon,
    })),
    devices: inspectDevices(writers, sightings?.of(space, generation) ?? [], head),
  };
}

/** Devices that have written, with what was heard of them since; and those that were only heard of. */
function inspectDevices(
  writers: readonly WriterState[],
  sighted: ReturnType<Sightings["of"]>,
  head: number,
): SpaceInspection["devices"] {
  const devices = new Map<string, SpaceInspection["devices"][number]>();
  const name = (device: string, user: string): string => JSON.stringify([user, device]);
  for (const { device, user, lastSeq, acked, seenAt, cursor } of writers) {
    // The server's own writer is nobody's device.
    if (user !== "")
      devices.set(name(device, user), { device, user, lastSeq, acked, seenAt, lag: head - cursor });
  }
  for (const { device, user, seenAt, cursor } of sighted) {
    const { lastSeq, acked } = devices.get(name(device, user)) ?? { lastSeq: 0, acked: 0 };
    devices.set(name(device, user), { device, user, lastSeq, acked, seenAt, lag: head - cursor });
  }
  return [...devices.values()];
}
