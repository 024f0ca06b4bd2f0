import type { DeltaMessage, Row } from "@landfall/protocol";
import type { Cut } from "../replica/cut.js";
import { submap } from "../submap.js";
import type { ReplicaMeta } from "./space-store.js";

/**
 * The cut that a delta makes of base as it stands (DESIGN §6.1): undefined where it does not fit, and the space is to
 * be fetched; "known" where base has it already.
 */
export function deltaCut(
  message: DeltaMessage,
  domains: readonly string[],
  { cursors, schema }: Pick<ReplicaMeta, "cursors" | "schema">,
  baseRow: (domain: string, key: string) => Row | undefined,
): Cut | "known" | undefined {
  // A delta speaks for the domains that were watched when it was sent, which must be all that are followed here.
  if (
    message.domains.length !== domains.length ||
    message.domains.some((domain) => !domains.includes(domain))
  )
    return undefined;
  const all = domains.map((domain) => cursors[domain] ?? 0);
  if (all.every((cursor) => cursor >= message.index)) return "known";
  // What else has changed with a newer schema, an exchange brings.
  if (message.schema !== schema?.version) return undefined;
  if (!all.every((cursor) => cursor >= message.from && cursor < message.index)) return undefined;
  const rows = new Map<string, Map<string, Row>>();
  for (const row of message.rows) {
    const standing = baseRow(row.domain, row.key);
    if (!standing || standing.version < row.version) submap(rows, row.domain).set(row.key, row);
  }
  const moved = { ...cursors };
  for (const domain of domains) moved[domain] = message.index;
  return {
    generation: message.generation,
    schema,
    lastSeq: message.lastSeq,
    cursors: moved,
    reset: [],
    rows,
    outcomes: new Map(),
    digests: {},
  };
}
