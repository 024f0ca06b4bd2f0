import { useSyncStatus } from "@landfall/react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useDeviceText } from "./device-store.js";
import type { FieldbookClient } from "./records.js";
import { type KnownSite, type SiteList, mergeSites, parseSites } from "./site-list.js";
import { sitesText } from "./session.js";

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

/** The sites of an account: a list on this device, brought up to date whenever the server can be reached. */
export function useSites(client: FieldbookClient, user: string): Sites {
  const store = useMemo(() => sitesText(user), [user]);
  const text = useDeviceText(store);
  const { known, last } = useMemo(() => parseSites(text), [text]);
  const [asked, setAsked] = useState<Sites["asked"]>("asking");
  const isConnected = useSyncStatus((status) => status.connection !== "offline");

  const change = useCallback(
    (next: (stored: SiteList) => SiteList) => store.set(JSON.stringify(next(parseSites(store.current)))),
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
