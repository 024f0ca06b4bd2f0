import type { Row } from "@landfall/protocol";
import type { Cut } from "../replica/cut.js";
import type { BasePatch } from "../replica/replica.js";
import { sameContent } from "./lost-rows.js";

/** What a cut puts into base and takes away from it. */
export function basePatch(
  { rows, reset, gone }: Cut,
  baseRows: (domain: string) => ReadonlyMap<string, Row>,
): BasePatch {
  if (reset.length === 0 && !gone) return rows;
  const patch = new Map<string, ReadonlyMap<string, Row | null>>(rows);
  for (const domain of reset) {
    const now = new Map<string, Row | null>(rows.get(domain));
    for (const key of baseRows(domain).keys()) if (!now.has(key)) now.set(key, null);
    patch.set(domain, now);
  }
  for (const [domain, keys] of gone ?? [])
    patch.set(domain, new Map([...(patch.get(domain) ?? []), ...keys.map((key) => [key, null] as const)]));
  return patch;
}

/** What brings a domain from the rows that are held to those that are stored. */
export function differingRows(
  held: ReadonlyMap<string, Row>,
  stored?: ReadonlyMap<string, Row>,
): Map<string, Row | null> {
  const rows = new Map<string, Row | null>(stored);
  for (const [key, row] of held) {
    const now = rows.get(key);
    if (!now) rows.set(key, null);
    // In another history a version may have another content (DESIGN rule 12).
    else if (now.version === row.version && now.modifiedAt === row.modifiedAt && sameContent(now, row))
      rows.delete(key);
  }
  return rows;
}
