import type { Cut } from "./cut.js";
import type { Replica } from "./replica.js";

/** The version of the newest tombstone that the server has removed, by domain. */
export type Horizons = { readonly [domain: string]: number };

/**
 * The tombstones of base that the server has removed too (DESIGN §6), for a cut that brings base up to its cursors: what
 * is not above them never comes again, so nothing that was deleted can come back. One that a pending event stands on stays.
 *
 * @param known the horizons up to which base holds none any more.
 * @param cut what comes into base; the tombstone of a key that it has a row of is replaced.
 * @returns keys by domain; undefined where there are none.
 */
export function forgottenDeletes(
  horizons: Horizons,
  known: Horizons,
  cut: Cut,
  replica: Replica,
): ReadonlyMap<string, readonly string[]> | undefined {
  const forgotten = new Map<string, readonly string[]>();
  for (const [domain, horizon] of Object.entries(horizons)) {
    if (known[domain] === horizon || cut.reset.includes(domain)) continue;
    const rows = cut.rows.get(domain);
    const keys: string[] = [];
    replica.baseRows(domain).forEach(({ deleted, version }, key) => {
      if (!deleted || version > horizon || rows?.has(key)) return;
      if (replica.pendingOf(domain, key).length === 0) keys.push(key);
    });
    if (keys.length > 0) forgotten.set(domain, keys);
  }
  return forgotten.size > 0 ? forgotten : undefined;
}
