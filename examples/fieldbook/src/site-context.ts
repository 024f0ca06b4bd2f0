import { createContext, useContext } from "react";
import type { FieldbookClient, SiteSpace } from "./records.js";
import type { KnownSite } from "./site-list.js";
import type { Sites } from "./sites.js";
import type { Undo } from "./views/undo-bar.js";

/** The open site, for everything that shows a part of it. */
export interface OpenSite {
  readonly id: string;
  readonly space: SiteSpace;
  readonly client: FieldbookClient;
  readonly user: string;
  readonly role: KnownSite["role"];
  readonly sites: Sites;
  /** Whether the site was ever whole on this device: until then, that nothing is there means nothing. */
  readonly hasSynced: boolean;
  /** False once the account was removed from the site. */
  readonly hasAccess: boolean;
  /** False for readers and those who lost access: the server would refuse what they write. */
  readonly canWrite: boolean;
  /** Shows that something was deleted, and offers to bring it back. */
  offerUndo(undo: Undo): void;
  /** The time as the server has it, in milliseconds since 1970: this device's clock may be wrong. */
  now(): number;
}

export const SiteContext = createContext<OpenSite | undefined>(undefined);

export function useSite(): OpenSite {
  const site = useContext(SiteContext);
  if (!site) throw new Error("This is shown within an open site only.");
  return site;
}
