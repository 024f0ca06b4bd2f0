import type { Stamp } from "@landfall/protocol";
import type { Issue } from "../history.js";
import type { Asked } from "./apply-event.js";
import type { Overlay } from "./overlay.js";

/** What a history knows of versions that are gone. */
export interface Remembered {
  /** Where an event was applied in it. */
  indexOf(event: Stamp): number | undefined;
  /** Up to which version the server has forgotten the tombstones of a domain. */
  horizonOf(domain: string): number;
}

/** Whether everything is as an event expects it. A delete that is forgotten is one still to who restores the key (rule 7). */
export function expectationsHold(
  remembered: Remembered,
  overlay: Overlay,
  { expect = [], ops = [] }: Issue,
): boolean {
  return expect.every(([domain, key, expected]) => {
    const version = overlay.before(domain, key)?.version ?? 0;
    const wanted = typeof expected === "number" ? expected : remembered.indexOf(expected.event);
    if (wanted === undefined || wanted === version) return wanted === version;
    const restores = ops.some((op) => op.op === "restore" && op.domain === domain && op.key === key);
    return restores && version === 0 && wanted <= remembered.horizonOf(domain);
  });
}

/** An event whose expectations hold, as it is carried out: the restore of a key whose tombstone is forgotten creates it. */
export function revived(overlay: Overlay, asked: Asked, { expect = [] }: Issue): Asked {
  if (!asked.ops?.some(({ op }) => op === "restore")) return asked;
  const ops = asked.ops.map((op) => {
    if (op.op !== "restore" || overlay.before(op.domain, op.key)) return op;
    const isKnown = expect.some(
      ([domain, key, version]) => domain === op.domain && key === op.key && version !== 0,
    );
    return isKnown ? ({ ...op, op: "create" } as const) : op;
  });
  return { ...asked, ops };
}
