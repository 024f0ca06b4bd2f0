import { isIdentifier } from "@landfall/protocol";
import type { Authenticated } from "../auth/authenticator.js";
import type { Engine } from "../engine-types.js";
import { spaceNotFound } from "../landfall-error.js";
import type { ServerMetrics } from "../metrics/server-metrics.js";
import type { BodyLimit } from "./body.js";
import type { Call, Reply } from "./call.js";

/** What the endpoints stand on. */
export interface Service {
  readonly engine: Engine;
  readonly metrics: ServerMetrics;
  readonly body: BodyLimit;
  /** @throws LandfallError `unauthorized` */
  authenticate(call: Call): Promise<Authenticated>;
  /** Sockets open just now. */
  openSockets(): number;
  /** False once the server is closing. */
  accepting(): boolean;
}

/** Answers one method of one address. `parameters` are the decoded parts of the path that the address leaves open. */
export type Endpoint = (service: Service, call: Call, parameters: readonly string[]) => Promise<Reply>;

/**
 * The first step of every address of a space: who asks, and may they know of it? What else is wrong with a
 * request is said to members only, so that a stranger gets one answer, whatever is asked (DESIGN §13).
 * @throws LandfallError `unauthorized`, `not_found`
 */
export async function member(service: Service, call: Call, space: string): Promise<Authenticated> {
  const user = await service.authenticate(call);
  if (!isIdentifier(space) || !(await service.engine.mayRead(user, space))) throw spaceNotFound();
  return user;
}
