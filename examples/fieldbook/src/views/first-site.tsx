import { type ReactNode, useState } from "react";
import { Icon } from "../parts/icon.js";
import type { FieldbookClient } from "../records.js";
import { forgetUser, nameOf } from "../session.js";
import type { Sites } from "../sites.js";
import { NewSiteDialog } from "./new-site-dialog.js";

interface FirstSiteProps {
  readonly client: FieldbookClient;
  readonly user: string;
  readonly sites: Sites;
}

/** What somebody sees who has no site on this device. */
export function FirstSite({ client, user, sites }: FirstSiteProps): ReactNode {
  const [isMaking, setMaking] = useState(false);
  if (sites.asked === "asking") {
    return (
      <main className="welcome">
        <p role="status">Looking for your sites…</p>
      </main>
    );
  }
  const leave = async (): Promise<void> => {
    await client.signOut();
    forgetUser(user);
  };
  return (
    <main className="welcome">
      <div className="welcome-card">
        <img src="/icon.svg" alt="" width="56" height="56" />
        <h1>Hello, {nameOf(user)}</h1>
        <p className="lead">
          {sites.asked === "failed"
            ? "You are offline, and no site is stored on this device yet. Make one now; it reaches the server later."
            : "You have no site yet. Make one, or ask somebody to invite you to theirs."}
        </p>
        <button type="button" className="primary wide" onClick={() => setMaking(true)}>
          <Icon name="add" />
          New site
        </button>
        <button type="button" className="wide" onClick={() => void sites.refresh()}>
          <Icon name="sync" />
          Look again
        </button>
        <button type="button" className="quiet wide" onClick={() => void leave()}>
          Sign in as somebody else
        </button>
      </div>
      {isMaking && <NewSiteDialog client={client} sites={sites} onClose={() => setMaking(false)} />}
    </main>
  );
}
