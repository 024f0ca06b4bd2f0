import { spaceNotFound } from "../landfall-error.js";
import type { User } from "../engine-types.js";
import { type MaybePromise, chain } from "../maybe-promise.js";
import type { FoundSpace, Snapshot } from "../storage/port.js";

/** A space as its members may read it. @throws LandfallError `not_found` for whoever may not know of it. */
export function readableSpace(
  snapshot: Snapshot,
  user: User,
  space: string,
  device?: string,
): MaybePromise<FoundSpace> {
  return chain(snapshot.space(space, user.id, device), (found) => {
    if (!found || found.role === undefined || found.role === "former") throw spaceNotFound();
    return found;
  });
}
