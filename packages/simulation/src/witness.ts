import type { ExchangeAnswer, Row, WireDigest } from "@landfall/protocol";
import { domainNames } from "./schema.js";
import type { World } from "./world.js";

/** The number of the device that comes when everything is quiet. */
const witnessNumber = 99;

/** A device that knows nothing comes, and pulls everything from zero: what it shows is judged with the others. */
export function addWitness(world: World): void {
  const witness = world.addDevice({ number: witnessNumber, user: "ann", tabs: 1, socket: false });
  witness.version = world.server.version;
  witness.start();
}

/** Pulls a space from zero as the protocol has it, without a client, and writes down what came. */
export async function pullFromZero(world: World, space: string): Promise<void> {
  const { node } = world.server;
  if (!node) return;
  let cursors: { readonly [domain: string]: number } = Object.fromEntries(
    domainNames.map((domain) => [domain, 0]),
  );
  let scan: { readonly [domain: string]: number } = {};
  const rows = new Map<string, Row>();
  let known: { readonly generation?: string } = {};
  for (;;) {
    const request = { space, ...known, cursors, scan, acked: 0 };
    const text = await node.engine.exchange(
      { id: "ann" },
      { protocol: 1, device: "witness", limit: 50, spaces: [request] },
    );
    const [part] = (JSON.parse(text) as ExchangeAnswer).spaces;
    if (!part || "error" in part) throw new Error(`The witness was refused: ${text}`);
    for (const row of part.rows) rows.set(`${row.domain} ${row.key}`, row);
    ({ cursors } = part);
    scan = part.scan ?? {};
    known = { generation: part.generation };
    if (part.more) continue;
    const digests: { readonly [domain: string]: WireDigest } = part.digests ?? {};
    const { generation, head } = part;
    world.recorder.add({ type: "serverRows", space, generation, head, rows: [...rows.values()], digests });
    return;
  }
}
