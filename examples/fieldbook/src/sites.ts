import { useSyncStatus } from "@landfall/react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useDeviceText } from "./device-store.js";
import type { FieldbookClient } from "./records.js";
import { sitesText } from "./session.js";

/** A site as this device knows it, also offline. */
export interface KnownSite {
  readonly id: string;
  /** Empty until the site was opened here once. */
  readonly name: string;
  readonly role: "owner" | "writer" | "reader";
}

export interface Sites {
  readonly known: readonly KnownSite[];
  /** Whether the server has been asked, or could not be. */
  readonly asked: "asking" | "answered" | "failed";
  refresh(): Promise<void>;
  /** Notes a site, or what has changed of it. */
  note(site: Partial<KnownSite> & { readonly id: string }): void;
  /** Which site was open last. */
  readonly last: string | undefined;
}

interface Stored {
  readonly last?: string;
  readonly known: readonly KnownSite[];
}

const empty: Stored = { known: [] };

export function parseSites(text: string | null): Stored {
  if (text === null) return empty;
  try {
    const { last, known } = JSON.parse(text) as Stored;
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

/** The sites of an account: a list on this device, brought up to date whenever the server can be reached. */
export function useSites(client: FieldbookClient, user: string): Sites {
  const store = useMemo(() => sitesText(user), [user]);
  const text = useDeviceText(store);
  const { known, last } = useMemo(() => parseSites(text), [text]);
  const [asked, setAsked] = useState<Sites["asked"]>("asking");
  const isConnected = useSyncStatus((status) => status.connection !== "offline");

  const change = useCallback(
    (next: (stored: Stored) => Stored) => store.set(JSON.stringify(next(parseSites(store.current)))),
    [store],
  );
  const refresh = useCallback(async () => {
    try {
      const listed = await client.spaces().list();
      change((stored) => ({
        ...stored,
        known: mergeSites(
          stored.known,
          listed.map(({ space, role }) => ({ id: space, role })),
        ),
      }));
      setAsked("answered");
    } catch {
      setAsked("failed");
    }
  }, [client, change]);
  const note = useCallback<Sites["note"]>(
    (site) =>
      change((stored) => {
        const before = stored.known.find(({ id }) => id === site.id);
        const after = { name: "", role: "owner" as const, ...before, ...site };
        return {
          last: site.id,
          known: before
            ? stored.known.map((one) => (one === before ? after : one))
            : [...stored.known, after],
        };
      }),
    [change],
  );
  useEffect(() => void refresh(), [refresh]);
  useEffect(() => {
    if (isConnected) void refresh();
  }, [refresh, isConnected]);
  return { known, asked, refresh, note, last };
}
