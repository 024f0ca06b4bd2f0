export {
  type AuthContext,
  type Authenticated,
  type Authenticator,
  unauthorized,
} from "./auth/authenticator.js";
export { devTokens } from "./auth/dev-tokens.js";
export { type JwksOptions, jwks } from "./auth/jwks.js";
export { type ClaimChecks, type JwtOptions, jwt } from "./auth/jwt.js";
export { type LandfallServer, type ListeningServer, type ServerEnd, createServer } from "./create-server.js";
export type {
  AnyTx,
  AnyTxDomain,
  EngineStats,
  Member,
  SpaceInspection,
  SpaceSummary,
  SpaceWriter,
  TxRecord,
  User,
} from "./engine-types.js";
export type { CrossOrigin } from "./http/cross-origin.js";
export type { ListenerTimeouts } from "./http/node-listener.js";
export { staticFiles } from "./http/static-files.js";
export type { HubLimits } from "./hub/hub.js";
export type { Wire } from "./hub/wire.js";
export { LandfallError } from "./landfall-error.js";
export { type LogFields, type Logger, stderrLogger } from "./logger.js";
export type {
  Authorize,
  AuthorizationRequest,
  EngineLimits,
  EngineOptions,
  ServerAction,
  ServerActions,
  TxOf,
} from "./options.js";
export { inspectFile } from "./storage/inspect-file.js";
export type { ServerOptions, ServerTimeouts, SocketLimits } from "./server-options.js";
export type { RetentionOptions } from "./operations/retention.js";
export type { Storage } from "./storage/port.js";
export { type SqliteOptions, type SqliteStorage, sqlite } from "./storage/sqlite.js";
