import {
  type Infer,
  array,
  identifier,
  map,
  openObject,
  oneOf,
  optional,
  positive,
  text,
  uint,
} from "./decode.js";
import type { Role } from "./exchange-request.js";
import * as limits from "./limits.js";

const role = oneOf<Role>("owner", "writer", "reader");

/** `GET /v1/info`: the server's time, limits and the heads of my spaces. */
export const infoAnswer = openObject({
  time: uint,
  protocol: positive,
  server: text(limits.maxNameChars),
  /** The schema version of the server, where it has one. */
  schema: optional(uint),
  user: text(limits.maxNameChars),
  limits: openObject({
    maxEventsPerRequest: positive,
    maxBodyBytes: positive,
    maxBatchBytes: positive,
    maxPageRows: positive,
  }),
  spaces: map(
    identifier,
    openObject({ role, generation: identifier, head: uint, members: uint }),
    limits.maxListed,
  ),
});
export type Info = Infer<typeof infoAnswer>;

/** `GET /v1/spaces` */
export const spacesAnswer = openObject({
  spaces: array(
    openObject({ space: identifier, role, head: uint, generation: identifier }),
    limits.maxListed,
  ),
});
/** `POST /v1/spaces` */
export const createSpaceAnswer = openObject({ space: identifier, role, generation: identifier });
/** `GET /v1/spaces/:space/members` */
export const membersAnswer = openObject({
  members: array(openObject({ user: text(limits.maxNameChars), role, since: uint }), limits.maxListed),
});
