import { useInbox, useRecord, useRecords, useSpace, useSyncStatus } from "@landfall/react";
import { type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import { Icon } from "../parts/icon.js";
import type { FieldbookClient, SiteSpace } from "../records.js";
import { type Route, hashOf, parseRoute } from "../route.js";
import { nameOf } from "../session.js";
import { SiteContext, useSite } from "../site-context.js";
import type { Sites } from "../sites.js";
import { AccountDialog } from "./account-dialog.js";
import { InboxPage } from "./inbox-page.js";
import { ProjectList } from "./project-list.js";
import { ProjectPage } from "./project-page.js";
import { SitesDialog } from "./sites-dialog.js";
import { StatusBar } from "./status-bar.js";
import { type Undo, UndoBar } from "./undo-bar.js";

type SiteRoute = Exclude<Route, { readonly view: "start" }>;

interface SitePageProps {
  readonly route: SiteRoute;
  readonly client: FieldbookClient;
  readonly user: string;
  readonly sites: Sites;
}

export function SitePage({ route, client, user, sites }: SitePageProps): ReactNode {
  const opening = useSpace(client, route.site);
  if (opening.state === "failed") {
    return (
      <main className="welcome">
        <h1>This site could not be opened</h1>
        <p role="alert">{opening.error.message}</p>
        <button type="button" className="primary" onClick={() => location.reload()}>
          Try again
        </button>
      </main>
    );
  }
  if (opening.state === "opening") return <main className="welcome" aria-busy="true" />;
  return <OpenSitePage route={route} client={client} user={user} sites={sites} space={opening.space} />;
}

function OpenSitePage({
  route,
  client,
  user,
  sites,
  space,
}: SitePageProps & { readonly space: SiteSpace }): ReactNode {
  const about = useRecord(space.site, "about");
  const known = sites.known.find(({ id }) => id === route.site);
  const role = known?.role ?? "writer";
  const hasAccess = useSyncStatus((status) => status.spaces[route.site]?.state !== "revoked");
  const hasSynced = useSyncStatus((status) => status.spaces[route.site]?.hasSynced ?? false);
  const { note } = sites;
  const name = about?.name;
  useEffect(() => {
    // A wrong address makes no site of ours.
    if (hasSynced || name !== undefined) note({ id: route.site, ...(name === undefined ? {} : { name }) });
  }, [note, route.site, name, hasSynced]);
  useEffect(() => {
    document.title = name === undefined ? "Fieldbook" : `${name} – Fieldbook`;
  }, [name]);
  const [deleted, setDeleted] = useState<{ readonly undo: Undo; readonly hash: string }>();
  const offerUndo = useCallback(
    (undo: Undo) => setDeleted({ undo, hash: hashOf(parseRoute(location.hash)) }),
    [],
  );
  const here = hashOf(route);
  useEffect(() => setDeleted((was) => (was?.hash === here ? was : undefined)), [here]);
  const site = useMemo(
    () => ({
      id: route.site,
      space,
      client,
      user,
      role,
      sites,
      hasSynced,
      hasAccess,
      canWrite: role !== "reader" && hasAccess,
      offerUndo,
      now: () => Date.now() - client.status.clockSkewMs,
    }),
    [route.site, space, client, user, role, sites, hasSynced, hasAccess, offerUndo],
  );
  return (
    <SiteContext value={site}>
      <a className="skip" href="#main" onClick={skipToMain}>
        Skip to content
      </a>
      <div className="site" data-view={route.view}>
        <SiteHeader name={name ?? (known?.name || "Site")} view={route.view} />
        <div className="panes">
          <ProjectList selected={route.view === "project" ? route.project : undefined} />
          <main className="detail" id="main" tabIndex={-1}>
            {route.view === "inbox" && <InboxPage />}
            {route.view === "project" && <ProjectPage key={route.project} projectKey={route.project} />}
            {route.view === "projects" && <NothingChosen />}
          </main>
        </div>
        <UndoBar
          // What was deleted on another page is no longer before anybody's eyes.
          undo={deleted?.hash === here ? deleted.undo : undefined}
          onDone={() => setDeleted(undefined)}
        />
        <StatusBar />
      </div>
    </SiteContext>
  );
}

function NothingChosen(): ReactNode {
  const { space } = useSite();
  const hasAny = useRecords(space.project, { limit: 1 }).length > 0;
  return (
    hasAny && <p className="nothing-chosen">Choose a project to see its control points and deviations.</p>
  );
}

/** A link would change the address, which says what is on the screen. */
function skipToMain(event: { preventDefault(): void }): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#main h1, #main h2, .list h1")?.focus();
}

function SiteHeader({ name, view }: { readonly name: string; readonly view: SiteRoute["view"] }): ReactNode {
  const { id, space, user, role } = useSite();
  const inbox = useInbox(space.inbox);
  const [shown, setShown] = useState<"sites" | "account">();
  const close = (): void => setShown(undefined);
  return (
    <header className="site-head">
      <button type="button" className="site-button" aria-haspopup="dialog" onClick={() => setShown("sites")}>
        <img src="/icon.svg" alt="" width="28" height="28" />
        <span className="site-name">
          <span className="only-heard">Site: </span>
          {name}
        </span>
        {role === "reader" && <span className="badge">Read only</span>}
        <Icon name="down" />
      </button>
      <nav aria-label="Site" className="site-nav">
        <a
          className={`button quiet inbox-link${inbox.length > 0 ? " has-items" : ""}`}
          href={hashOf({ view: "inbox", site: id })}
          aria-current={view === "inbox" ? "page" : undefined}
        >
          <Icon name="inbox" />
          <span className="inbox-word">Inbox</span>
          {inbox.length > 0 && (
            <span className="count">
              {inbox.length}
              <span className="only-heard"> to decide</span>
            </span>
          )}
        </a>
        <button
          type="button"
          className="quiet account-button"
          aria-haspopup="dialog"
          onClick={() => setShown("account")}
        >
          <span className="avatar" aria-hidden="true">
            {nameOf(user).slice(0, 1)}
          </span>
          <span className="account-name">
            <span className="only-heard">Account: </span>
            {nameOf(user)}
          </span>
        </button>
      </nav>
      {shown === "sites" && <SitesDialog onClose={close} />}
      {shown === "account" && <AccountDialog onClose={close} />}
    </header>
  );
}
