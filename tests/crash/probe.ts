import { randomUUID } from "node:crypto";
import { makeStamp } from "@landfall/protocol";
import { space } from "./write-numbered.js";

const headers = { authorization: "Bearer dev:ann", "content-type": "application/json" };

/** A device that is written by hand, to see each answer as it is. */
export class Probe {
  readonly #device = randomUUID();
  /** Writes that the server has taken. */
  applied = 0;

  private constructor(
    private readonly url: string,
    private readonly generation: string,
  ) {}

  static async begin(url: string): Promise<Probe> {
    const answer = await fetch(`${url}/v1/spaces`, { headers });
    const { spaces } = (await answer.json()) as { spaces: { space: string; generation: string }[] };
    return new Probe(url, spaces.find((each) => each.space === space)?.generation ?? "");
  }

  /** Sends its next write, and gives the status of its outcome. What was deferred is sent again as it was. */
  async write(): Promise<string> {
    const seq = this.applied + 1;
    // The same id for the same seq, so that what was deferred is known again.
    const id = makeStamp(
      1_795_000_000_000 + seq,
      0,
      `8${this.#device.slice(1, 4)}-${this.#device.slice(24)}`,
    );
    const set = { text: "x".repeat(2_000), count: 0 };
    const ops = [{ op: "create", domain: "note", key: `probe:${this.#device}:${seq}`, set }];
    const request = {
      protocol: 1,
      device: this.#device,
      spaces: [{ space, generation: this.generation, cursors: {}, events: [{ id, seq, schema: 1, ops }] }],
    };
    const answer = await fetch(`${this.url}/v1/exchange`, {
      method: "POST",
      headers,
      body: JSON.stringify(request),
    });
    const { spaces } = (await answer.json()) as { spaces: { outcomes?: { status: string }[] }[] };
    const status = spaces[0]?.outcomes?.[0]?.status ?? `without an outcome: ${JSON.stringify(spaces)}`;
    if (status === "applied") this.applied += 1;
    return status;
  }
}
