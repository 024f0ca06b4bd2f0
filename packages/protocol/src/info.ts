import { type Infer, array, choose, identifier, literal, map, openObject, optional, positive, text, uint } from "./decode.js";
import { rowDecoder } from "./exchange-answer.js";
import type { Role } from "./exchange-request.js";

const role = choose<Role>('"owner"|"writer"|"reader"', (value) => literal(value === "owner" ? "owner" : value === "writer" ? "writer" : "reader"));

/** `GET /v1/info`: the server's time, limits and the heads of my spaces. */
export const infoAnswer = openObject({
  time: uint,
  protocol: positive,
  server: text(64),
  /** The schema version of the server, where it has one. */
  schema: optional(uint),
  user: text(256),
  limits: openObject({ maxEventsPerRequest: positive, maxBodyBytes: positive, maxBatchBytes: positive, maxPageRows: positive }),
  spaces: map(identifier, openObject({ role, generation: identifier, head: uint, members: uint }), 100_000),
});
export type Info = Infer<typeof infoAnswer>;

/** `GET /v1/spaces` */
export const spacesAnswer = openObject({ spaces: array(openObject({ space: identifier, role, head: uint, generation: identifier }), 100_000) });
/** `POST /v1/spaces` */
export const createSpaceAnswer = openObject({ space: identifier, role, generation: identifier });
/** `GET /v1/spaces/:space/members` */
export const membersAnswer = openObject({ members: array(openObject({ user: text(256), role, since: uint }), 100_000) });
/** `GET /v1/spaces/:space/rows` */
export const rowsAnswer = openObject({ space: identifier, domain: identifier, generation: identifier, head: uint, cursor: uint, lastUpdateTime: uint, more: choose<boolean>("bool", (v) => (v === true ? literal(true) : literal(false))), rows: array(rowDecoder, 1_000_000) });
export type RowsAnswer = Infer<typeof rowsAnswer>;
