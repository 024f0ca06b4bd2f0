import { LandfallError } from "../landfall-error.js";
import type { Call } from "./call.js";
import { exchange } from "./endpoints/exchange.js";
import { healthz, metrics, readyz } from "./endpoints/health.js";
import { listMembers, removeMember, setMember } from "./endpoints/members.js";
import { reconcile } from "./endpoints/reconcile.js";
import { rows } from "./endpoints/rows.js";
import { createSpace, info, listSpaces, wipeSpace } from "./endpoints/spaces.js";
import type { Endpoint } from "./service.js";

/** Where sockets are asked for (DESIGN §6.1). */
export const socketPath = "/v1/socket";

const socket: Endpoint = async (service, call) => {
  await service.authenticate(call);
  throw new LandfallError(
    "invalid_request",
    "This address is for WebSockets: ask for an upgrade with the subprotocol landfall.v1.",
  );
};

/** Every address of the server; a part that begins with a colon stands for one part of the path. */
const addresses: { readonly [address: string]: { readonly [method: string]: Endpoint } } = {
  "/healthz": { GET: healthz },
  "/readyz": { GET: readyz },
  "/metrics": { GET: metrics },
  "/v1/exchange": { POST: exchange },
  "/v1/info": { GET: info },
  "/v1/reconcile": { POST: reconcile },
  [socketPath]: { GET: socket },
  "/v1/spaces": { GET: listSpaces, POST: createSpace },
  "/v1/spaces/:space": { DELETE: wipeSpace },
  "/v1/spaces/:space/rows": { GET: rows },
  "/v1/spaces/:space/members": { GET: listMembers },
  "/v1/spaces/:space/members/:user": { PUT: setMember, DELETE: removeMember },
};

export interface Route {
  /** The address as the table has it: a label for metrics. */
  readonly address: string;
  readonly parameters: readonly string[];
  /** The methods it answers, as an Allow header has them. */
  readonly allow: string;
  /** Undefined for a method that it does not answer. */
  readonly endpoint: Endpoint | undefined;
}

const patterns = Object.keys(addresses)
  .filter((address) => address.includes(":"))
  .map((address) => ({ address, parts: address.split("/") }));

/** Whether a path is the server's: everything under /v1, health and metrics. */
export function isOurs(path: string): boolean {
  return (
    path === "/v1" ||
    path.startsWith("/v1/") ||
    path === "/healthz" ||
    path === "/readyz" ||
    path === "/metrics"
  );
}

export function findRoute(call: Call): Route | undefined {
  if (Object.hasOwn(addresses, call.path) && !call.path.includes(":"))
    return routeOf(call.path, call.method, []);
  const parts = call.path.split("/");
  for (const pattern of patterns) {
    const parameters = match(pattern.parts, parts);
    if (parameters !== undefined) return routeOf(pattern.address, call.method, parameters);
  }
  return undefined;
}

function routeOf(address: string, method: string, parameters: readonly string[]): Route {
  const methods = addresses[address] as { readonly [method: string]: Endpoint };
  const names = Object.keys(methods).flatMap((name) => (name === "GET" ? ["GET", "HEAD"] : [name]));
  const name = method === "HEAD" ? "GET" : method;
  return {
    address,
    parameters,
    allow: [...names, "OPTIONS"].join(", "),
    endpoint: Object.hasOwn(methods, name) ? methods[name] : undefined,
  };
}

function match(pattern: readonly string[], parts: readonly string[]): readonly string[] | undefined {
  if (pattern.length !== parts.length) return undefined;
  const parameters: string[] = [];
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as string;
    if ((pattern[i] as string).startsWith(":")) {
      const decoded = decodePart(part);
      if (decoded === undefined || decoded === "") return undefined;
      parameters.push(decoded);
    } else if (pattern[i] !== part) return undefined;
  }
  return parameters;
}

function decodePart(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
