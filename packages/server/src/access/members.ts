import type { Role } from "@landfall/protocol";
import type { Core } from "../core.js";
import type { Member, User } from "../engine-types.js";
import { LandfallError, spaceNotFound } from "../landfall-error.js";
import type { MemberState, SpaceTransaction } from "../storage/port.js";
import { requireOwner } from "./spaces.js";
import { isUserId, userIdKind } from "./user-id.js";

/** The members of a space, for its members. @throws LandfallError `not_found` */
export async function listMembers(core: Core, user: User, space: string): Promise<readonly Member[]> {
  const members = await core.storage.read(async (snapshot) => {
    const found = await snapshot.space(space, user.id);
    if (!found || found.role === undefined || found.role === "former") throw spaceNotFound();
    return snapshot.members(space);
  });
  return members.flatMap(({ user: member, role, since }) => (role ? [{ user: member, role, since }] : []));
}

/**
 * Gives a user a role.
 * @returns whether anything changed.
 * @throws LandfallError `not_found`, `forbidden`, `last_owner`
 */
export async function setMember(
  core: Core,
  user: User,
  space: string,
  member: string,
  role: Role,
): Promise<boolean> {
  if (!isUserId(member)) throw new LandfallError("invalid_request", `user: expected ${userIdKind}`);
  return core.storage.write(space, async (transaction) => {
    requireOwner((await transaction.open("server", user.id))?.role);
    const members = await transaction.members();
    const present = members.find((candidate) => candidate.user === member);
    if (present?.role === role) return false;
    keepAnOwner(members, present, role);
    await transaction.saveMember({ user: member, role, since: Math.floor(core.clock.now()) });
    return true;
  });
}

/**
 * Takes a user out of a space; what is left is the memory of a former member.
 * @throws LandfallError `not_found`, `forbidden`, `last_owner`
 */
export async function removeMember(core: Core, user: User, space: string, member: string): Promise<void> {
  await core.storage.write(space, async (transaction) => {
    const opened = await transaction.open("server", user.id);
    const isSelf = member === user.id && opened?.role !== undefined && opened.role !== "former";
    if (!isSelf) requireOwner(opened?.role);
    await remove(core, transaction, member);
  });
}

async function remove(core: Core, transaction: SpaceTransaction, member: string): Promise<void> {
  const members = await transaction.members();
  const present = members.find((candidate) => candidate.user === member && candidate.role !== undefined);
  if (!present) throw new LandfallError("not_found", `${member} is not a member of this space.`);
  keepAnOwner(members, present, undefined);
  await transaction.saveMember({ user: member, role: undefined, since: Math.floor(core.clock.now()) });
}

function keepAnOwner(
  members: readonly MemberState[],
  present: MemberState | undefined,
  role: Role | undefined,
): void {
  if (present?.role !== "owner" || role === "owner") return;
  if (members.some(({ user, role: other }) => user !== present.user && other === "owner")) return;
  throw new LandfallError(
    "last_owner",
    "A space keeps at least one owner. Make another member an owner first.",
  );
}
