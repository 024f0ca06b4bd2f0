import { type Role, createSpaceAnswer, decode, membersAnswer, spacesAnswer } from "@landfall/protocol";
import type { Decoder } from "@landfall/protocol";
import { type Remote, RemoteError } from "./remote/port.js";
import { SyncError } from "./loop/port.js";
import type { Session } from "./loop/session.js";

export interface SpaceSummary {
  readonly space: string;
  readonly role: Role;
  readonly head: number;
}

export interface Member {
  readonly user: string;
  readonly role: Role;
  /** Server time in milliseconds. */
  readonly since: number;
}

/** The spaces of the account at the server; needs a connection. Every method throws RemoteError. */
export interface SpacesHandle {
  list(): Promise<readonly SpaceSummary[]>;
  /** Creates a space, owned by the account. @param space an id to have, or none for one that cannot be guessed. */
  create(space?: string): Promise<string>;
  members(space: string): Promise<readonly Member[]>;
  invite(space: string, user: string, role: Role): Promise<void>;
  remove(space: string, user: string): Promise<void>;
  leave(space: string): Promise<void>;
}

function read<T>(decoder: Decoder<T>, value: unknown): T {
  const decoded = decode(decoder, value);
  if (!decoded.ok)
    throw new RemoteError({
      code: "garbled",
      message: `The server's answer cannot be read: ${decoded.message}`,
    });
  return decoded.value;
}

/** Who leaves a name out is not to reach another address, and `.` and `..` lead to one: of a member to that of the space. */
function segment(what: string, id: string): string {
  if (typeof id !== "string" || /^\.{0,2}$/.test(id) || !id.isWellFormed())
    throw new RemoteError({
      code: "invalid_request",
      message: `${JSON.stringify(id)} cannot be the id of a ${what}.`,
    });
  return encodeURIComponent(id);
}

export function spacesHandle(remote: Remote, session: Session, me: () => string): SpacesHandle {
  const call = (method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: unknown): Promise<unknown> =>
    session.authorized((token) => remote.call(method, path, token, body));
  const members = (space: string): string => `/v1/spaces/${segment("space", space)}/members`;
  const member = (space: string, user: string): string => `${members(space)}/${segment("user", user)}`;
  return {
    list: async () => read(spacesAnswer, await call("GET", "/v1/spaces")).spaces,
    create: async (space) =>
      read(createSpaceAnswer, await call("POST", "/v1/spaces", space === undefined ? {} : { space })).space,
    members: async (space) => read(membersAnswer, await call("GET", members(space))).members,
    invite: async (space, user, role) => void (await call("PUT", member(space, user), { role })),
    remove: async (space, user) => void (await call("DELETE", member(space, user))),
    leave: async (space) => void (await call("DELETE", member(space, me()))),
  };
}

/** Creates a space that the account may have by now. @returns why it could not be */
export async function createUnlessThere(spaces: SpacesHandle, space: string): Promise<string | undefined> {
  try {
    await spaces.create(space);
    return undefined;
  } catch (error) {
    if (!(error instanceof RemoteError) && !(error instanceof SyncError)) throw error;
    // Another device of this account may have made it a moment ago; when that cannot be asked, the refusal is the news.
    const mine = await spaces.list().catch(() => []);
    return mine.some((each) => each.space === space) ? undefined : error.message;
  }
}
