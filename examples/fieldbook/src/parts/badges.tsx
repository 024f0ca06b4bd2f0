import type { ReactNode } from "react";
import { capital } from "../inbox-words.js";
import type { Severity } from "../records.js";
import { Icon } from "./icon.js";

/** How bad a deviation is: by word and shape as well as by colour. */
export function SeverityBadge({ severity }: { readonly severity: Severity }): ReactNode {
  return (
    <span className={`badge severity-${severity}`}>
      <Icon name="flag" />
      {capital(severity)}
    </span>
  );
}

/** Marks what is on this device only. */
export function NotSynced({ shown }: { readonly shown: boolean }): ReactNode {
  if (!shown) return null;
  return (
    <span className="not-synced" title="Kept on this device; not at the server yet">
      <Icon name="clock" />
      <span className="only-heard">Not synced yet</span>
    </span>
  );
}
