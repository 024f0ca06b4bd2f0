/** A site as this device knows it, also offline. */
export interface KnownSite {
  readonly id: string;
  /** Empty until the site was opened here once. */
  readonly name: string;
  readonly role: "owner" | "writer" | "reader";
}

/** What this device keeps of an account's sites. */
export interface SiteList {
  /** Which site was open last. */
  readonly last?: string;
  readonly known: readonly KnownSite[];
}

const empty: SiteList = { known: [] };

export function parseSites(text: string | null): SiteList {
  if (text === null) return empty;
  try {
    const { last, known } = JSON.parse(text) as SiteList;
    return { known: Array.isArray(known) ? known : [], ...(last === undefined ? {} : { last }) };
  } catch {
    return empty;
  }
}

/** What is known of the sites after the server has listed mine: names are kept, sites that were made offline too. */
export function mergeSites(
  known: readonly KnownSite[],
  listed: readonly Omit<KnownSite, "name">[],
): readonly KnownSite[] {
  const names = new Map(known.map(({ id, name }) => [id, name]));
  const merged = listed.map(({ id, role }) => ({ id, role, name: names.get(id) ?? "" }));
  const ids = new Set(merged.map(({ id }) => id));
  return [...merged, ...known.filter(({ id }) => !ids.has(id))];
}
