import type { Row } from "@landfall/protocol";
import type { Cut } from "../replica/cut.js";
import type { BasePatch } from "../replica/replica.js";

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
