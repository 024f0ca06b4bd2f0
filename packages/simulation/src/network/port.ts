import type { StreamLine } from "@landfall/protocol";
import type { Call, Reply } from "@landfall/server/http/call";
import type { ServerEnd } from "@landfall/server/create-server";
import type { Wire } from "@landfall/server/hub/wire";
import type { Program } from "../program.js";

/** A server's process, as the network reaches it. */
export interface Host {
  readonly program: Program;
  answer(call: Call): Promise<Reply>;
  connect(wire: Wire): ServerEnd;
}

/** An exchange on its way, as an onlooker sees it: the numbers count all requests of a world. */
export interface Onlooker {
  /** A client has sent. */
  sent(number: number, from: Program, path: string, body: string): void;
  /**
   * A server has handed an answer, or the next piece of one, to the network.
   * @param isRepeated whether it answers a request that has come for the second time: both answers may come in turns.
   */
  answered(
    number: number,
    server: Program,
    path: string,
    status: number,
    text: string | readonly StreamLine[],
    isRepeated?: boolean,
  ): void;
  /** The last of an answer has reached the client, or what there is of it. */
  arrived(number: number, at: Program, path: string, whole: boolean): void;
}
