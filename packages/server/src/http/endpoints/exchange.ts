import { exchangeRequest } from "@landfall/protocol";
import { LandfallError } from "../../landfall-error.js";
import { readJson } from "../body.js";
import { jsonReply } from "../call.js";
import { negotiate } from "../negotiate.js";
import { readRequest } from "../read-request.js";
import type { Endpoint } from "../service.js";

/** `POST /v1/exchange`: one request of the write–read loop, answered whole or as a stream of lines (DESIGN §6). */
export const exchange: Endpoint = async (service, call) => {
  try {
    const user = await service.authenticate(call);
    const format = negotiate(call.header("accept"));
    const request = readRequest(exchangeRequest, await readJson(call, service.body));
    if (format === "json") {
      const text = await service.engine.exchange(user, request, call.signal());
      service.metrics.exchanges.add(1, { result: "ok" });
      return jsonReply(200, text);
    }
    const body = await begun(service.engine.exchangeStream(user, request, call.signal()));
    service.metrics.exchanges.add(1, { result: "ok" });
    return { status: 200, headers: { "content-type": "application/x-ndjson" }, body };
  } catch (error) {
    service.metrics.exchanges.add(1, { result: error instanceof LandfallError ? error.code : "internal" });
    throw error;
  }
};

/** Waits for the first chunk, so that what is refused at once is a refusal and not a stream that breaks off. */
async function begun(stream: AsyncIterable<string>): Promise<AsyncIterable<string>> {
  const chunks = stream[Symbol.asyncIterator]();
  let first: IteratorResult<string> | undefined = await chunks.next();
  const iterator: AsyncIterator<string> = {
    async next() {
      if (first === undefined) return chunks.next();
      const result = first;
      first = undefined;
      return result;
    },
    async return() {
      await chunks.return?.();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
