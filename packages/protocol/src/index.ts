export * from "./action-context.js";
export * from "./base64url.js";
export * from "./clock.js";
export * from "./codes.js";
export * from "./declaration.js";
export {
  type Decoded,
  type Decoder,
  clipMessage,
  decode,
  decodeText,
  json as jsonDecoder,
} from "./decode.js";
export * from "./digest.js";
export * from "./event-decoder.js";
export * from "./exchange-answer.js";
export * from "./exchange-request.js";
export * from "./identifier.js";
export * from "./info.js";
export * from "./json.js";
export * as limits from "./limits.js";
export * from "./merge.js";
export * from "./op.js";
export * from "./ops-conflict.js";
export * from "./outcome-runs.js";
export * from "./ports.js";
export * from "./protocol-version.js";
export { Reconciliation, answerFrame } from "./reconcile.js";
export { decodeFrame } from "./reconcile-frame.js";
export { type ReconcileItem, ReconcileItems } from "./reconcile-items.js";
export * from "./reconcile-message.js";
export * from "./rejected-error.js";
export * from "./row.js";
export * from "./socket-message.js";
export * from "./stamp.js";
export * from "./whole-answer.js";
