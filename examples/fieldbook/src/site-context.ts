import { createContext, useContext } from "react";
import type { FieldbookClient, SiteSpace } from "./records.js";
import type { KnownSite, Sites } from "./sites.js";

/** The open site, for everything that shows a part of it. */
export interface OpenSite {
  readonly id: string;
  readonly space: SiteSpace;
  readonly client: FieldbookClient;
  readonly user: string;
  readonly role: KnownSite["role"];
  readonly sites: Sites;
  /** False for readers: the server would refuse what they write. */
  readonly canWrite: boolean;
}

export const SiteContext = createContext<OpenSite | undefined>(undefined);

export function useSite(): OpenSite {
  const site = useContext(SiteContext);
  if (!site) throw new Error("This is shown within an open site only.");
  return site;
}
