import type { Decoder } from "./decode.js";
import { shapeOf } from "./declared-shape.js";
import * as answer from "./exchange-answer.js";
import * as request from "./exchange-request.js";
import * as info from "./info.js";
import * as reconcile from "./reconcile-message.js";
import * as socket from "./socket-message.js";
import * as whole from "./whole-answer.js";

/** Every message of the protocol in one text; its hash is pinned to the version (see declaration.test.ts). */
export function protocolDeclaration(): string {
  const lines: string[] = [];
  for (const module of [request, answer, whole, info, reconcile, socket] as readonly {
    readonly [name: string]: unknown;
  }[]) {
    for (const [name, member] of Object.entries(module)) {
      if (typeof member === "object" && member !== null && "form" in member)
        lines.push(`${name} = ${shapeOf(member as Decoder<unknown>)}`);
    }
  }
  return lines.sort().join("\n");
}
