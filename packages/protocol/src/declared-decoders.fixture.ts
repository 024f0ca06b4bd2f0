import type { Decoder } from "./decode.js";
import * as event from "./event-decoder.js";
import * as answer from "./exchange-answer.js";
import * as request from "./exchange-request.js";
import * as info from "./info.js";
import * as reconcile from "./reconcile-message.js";
import * as socket from "./socket-message.js";
import * as whole from "./whole-answer.js";

/** Every decoder of the package by its name, found by what it is. */
export const decoders = new Map<string, Decoder<unknown>>();
for (const module of [answer, whole, request, reconcile, event, info, socket] as readonly Record<
  string,
  unknown
>[]) {
  for (const [name, member] of Object.entries(module)) {
    if (typeof member === "object" && member !== null && "form" in member && name !== "eventIdentityDecoder")
      decoders.set(name, member as Decoder<unknown>);
  }
}
