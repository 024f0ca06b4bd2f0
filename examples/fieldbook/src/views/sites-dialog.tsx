import { type ReactNode, useEffect, useState } from "react";
import { Dialog } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { hashOf } from "../route.js";
import { useSite } from "../site-context.js";
import { MembersDialog } from "./members-dialog.js";
import { NewSiteDialog } from "./new-site-dialog.js";

const roles = { owner: "Owner", writer: "Member", reader: "Reader" } as const;

/** Goes to another site, makes one, or shows who is in this one. */
export function SitesDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const { id, client, sites } = useSite();
  const [next, setNext] = useState<"new" | "members">();
  const { refresh } = sites;
  useEffect(() => void refresh(), [refresh]);
  if (next === "new") return <NewSiteDialog client={client} sites={sites} onClose={onClose} />;
  if (next === "members") return <MembersDialog onClose={onClose} />;
  return (
    <Dialog title="Sites" onClose={onClose}>
      <ul className="plain site-list">
        {sites.known.map((site) => (
          <li key={site.id}>
            <a
              href={hashOf({ view: "projects", site: site.id })}
              aria-current={site.id === id ? "true" : undefined}
              onClick={onClose}
            >
              <Icon name="site" />
              <span className="site-list-name">{site.name || "A site not opened here yet"}</span>
              <span className="muted">{roles[site.role]}</span>
              {site.id === id && <Icon name="check" />}
            </a>
          </li>
        ))}
      </ul>
      {sites.asked === "failed" && (
        <p className="muted">
          The server cannot be reached: sites that you were invited to since are not listed.
        </p>
      )}
      <div className="dialog-actions start">
        <button type="button" onClick={() => setNext("new")}>
          <Icon name="add" />
          New site
        </button>
        <button type="button" onClick={() => setNext("members")}>
          <Icon name="people" />
          Members of this site
        </button>
      </div>
    </Dialog>
  );
}
