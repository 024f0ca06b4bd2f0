import { type InboxChoice, type InboxItem, WriteError, stampReading } from "@landfall/client";
import { useInbox, useRecord, useRecords } from "@landfall/react";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import {
  type InboxCard,
  type Line,
  type SiteLookup,
  inboxCard,
  isRefusedProject,
  recordUnder,
} from "../inbox-words.js";
import { Icon } from "../parts/icon.js";
import type { SiteSpace } from "../records.js";
import { hashOf } from "../route.js";
import { nameOf } from "../session.js";
import { useSite } from "../site-context.js";
import { timeWords } from "../time-words.js";
import { type ProjectGiven, ProjectDialog } from "./project-dialog.js";

/** What did not come to be as it was written, and what can be done about it. */
export function InboxPage(): ReactNode {
  const { id, space } = useSite();
  const items = useInbox(space.inbox);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <div className="inbox">
      <a className="back quiet button" href={hashOf({ view: "projects", site: id })}>
        <Icon name="back" />
        Projects
      </a>
      <h2 ref={heading} tabIndex={-1}>
        Inbox
      </h2>
      {items.length === 0 ? (
        <p className="empty">
          Nothing to decide. When a change of yours meets somebody else’s, you find both here.
        </p>
      ) : (
        <p className="muted">
          These changes of yours did not come through as you made them. Nothing is lost: decide what becomes
          of each.
        </p>
      )}
      <ul className="plain cards">
        {items.map((item) => (
          <InboxItemCard key={item.id} item={item} onDecided={() => heading.current?.focus()} />
        ))}
      </ul>
    </div>
  );
}

function lookup(space: SiteSpace): SiteLookup {
  const records: { readonly [domain: string]: { get(key: string): object | undefined } | undefined } = {
    site: space.site,
    project: space.project,
    controlpoint: space.controlpoint,
    deviation: space.deviation,
  };
  const find = (domain: string, key: string): { readonly [field: string]: unknown } | undefined =>
    records[domain]?.get(key) as { readonly [field: string]: unknown } | undefined;
  return {
    nameOf(domain, key) {
      const record = find(domain, key);
      return record && String(record["name"] ?? record["title"] ?? "");
    },
    fieldOf: (domain, key, field) => find(domain, key)?.[field],
    below: (project) => childrenOf(space, project).length,
    time: (at) => timeWords(at, Date.now()),
    person: nameOf,
  };
}

/** The records that belong to a project, as their domain and key. */
function childrenOf(
  space: SiteSpace,
  project: string,
): readonly (readonly ["controlpoint" | "deviation", string])[] {
  const where = { projectId: project };
  return [
    ...space.controlpoint.query({ where }).map(({ key }) => ["controlpoint", key] as const),
    ...space.deviation.query({ where }).map(({ key }) => ["deviation", key] as const),
  ];
}

/** Lets go of an item, and of what a project that never came to be has left behind. */
function dismiss(space: SiteSpace, item: InboxItem): void {
  const orphans = isRefusedProject(item) && item.key !== undefined ? childrenOf(space, item.key) : [];
  if (orphans.length > 0) space.write((tx) => orphans.forEach(([domain, key]) => tx[domain].delete(key)));
  void space.inbox.dismiss(item.id);
}

/** Puts what an item is about under a project that is there, and lets go of the item. */
function putUnder(space: SiteSpace, item: InboxItem, project: string): void {
  const { domain, key = "", id } = item;
  const record = recordUnder(item, project, lookup(space));
  if (domain === "controlpoint") {
    if (space.controlpoint.get(key)) space.controlpoint.update(key, { projectId: project });
    else space.controlpoint.create(record as Parameters<typeof space.controlpoint.create>[0]);
  } else if (space.deviation.get(key)) space.deviation.update(key, { projectId: project });
  else space.deviation.create(record as Parameters<typeof space.deviation.create>[0]);
  void space.inbox.dismiss(id);
}

/** Writes an item again under its project, which is back: an edit of what went with the project as a record of its own. */
function again(space: SiteSpace, { id, event, key, choices }: InboxItem): void {
  const isEdit = event?.ops?.some((op) => "key" in op && op.key === key && op.op === "update");
  if (isEdit && choices.includes("keepCopy")) space.inbox.keepCopy(id);
  else space.inbox.retry(id);
}

interface InboxItemCardProps {
  readonly item: InboxItem;
  /** The item has gone, and the focus is without a place. */
  readonly onDecided: () => void;
}

function InboxItemCard({ item, onDecided }: InboxItemCardProps): ReactNode {
  const { space, canWrite } = useSite();
  const [problem, setProblem] = useState<string>();
  const [isRenumbering, setRenumbering] = useState(false);
  const [isRestoring, setRestoring] = useState(false);
  const site = useMemo(() => lookup(space), [space]);
  const card = inboxCard(item, site);
  useRecord(space.project, card.goneProject);
  const attempt = (write: () => void): void => {
    try {
      write();
      onDecided();
    } catch (error) {
      if (!(error instanceof WriteError)) throw error;
      setProblem(error.message);
    }
  };
  const decide = (choice: InboxChoice): void =>
    attempt(() => (choice === "dismiss" ? dismiss(space, item) : void space.inbox[choice](item.id)));
  return (
    <li className="card">
      <p className="card-about">{card.about}</p>
      <h3>{card.headline}</h3>
      {card.explanation !== "" && <p>{card.explanation}</p>}
      <Comparison item={item} card={card} />
      {problem !== undefined && (
        <p className="warning" role="alert">
          {problem}
        </p>
      )}
      <div className="card-actions">
        {card.needsNumber && canWrite && (
          <button
            type="button"
            className="primary"
            aria-haspopup="dialog"
            onClick={() => setRenumbering(true)}
          >
            Change the number<span className="only-heard"> of {card.about}</span>
          </button>
        )}
        {card.goneProject !== undefined && canWrite && (
          <>
            <Elsewhere
              about={card.about}
              onChosen={(project) => attempt(() => putUnder(space, item, project))}
            />
            <button type="button" aria-haspopup="dialog" onClick={() => setRestoring(true)}>
              Bring its project back<span className="only-heard"> ({card.about})</span>
            </button>
          </>
        )}
        {card.choices.map(({ choice, label }) => (
          <button
            key={choice}
            type="button"
            className={choice === "dismiss" ? "quiet" : undefined}
            disabled={!canWrite && choice !== "dismiss"}
            onClick={() => decide(choice)}
          >
            {label}
            <span className="only-heard"> ({card.about})</span>
          </button>
        ))}
      </div>
      {isRestoring && card.goneProject !== undefined && (
        <ProjectDialog
          given={{}}
          restored={card.goneProject}
          onClose={() => setRestoring(false)}
          onSaved={() => attempt(() => again(space, item))}
        />
      )}
      {isRenumbering && (
        <Renumber
          item={item}
          onClose={() => setRenumbering(false)}
          onSaved={() => {
            void space.inbox.dismiss(item.id);
            onDecided();
          }}
        />
      )}
    </li>
  );
}

/** Lets a person choose a project that is there. */
function Elsewhere({
  about,
  onChosen,
}: {
  readonly about: string;
  readonly onChosen: (project: string) => void;
}): ReactNode {
  const { space } = useSite();
  const projects = useRecords(space.project, { orderBy: "number" });
  const [chosen, setChosen] = useState("");
  return (
    <>
      <label>
        <span className="only-heard">Project for {about}</span>
        <select value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
          <option value="" disabled>
            Another project…
          </option>
          {projects.map(({ key, number, name }) => (
            <option key={key} value={key}>
              {number} {name}
            </option>
          ))}
        </select>
      </label>
      <button type="button" className="primary" disabled={chosen === ""} onClick={() => onChosen(chosen)}>
        Put it there<span className="only-heard"> ({about})</span>
      </button>
    </>
  );
}

/** What was tried beside what stands, each with its time. */
function Comparison({ item, card }: { readonly item: InboxItem; readonly card: InboxCard }): ReactNode {
  const theirs = item.by === undefined ? undefined : stampReading(item.by).ms;
  return (
    <div className="comparison">
      <Side title="Yours" note={card.did} lines={card.tried} />
      {card.stands.length > 0 && (
        <Side
          title="What stands"
          note={theirs === undefined ? "" : `Written ${timeWords(theirs, Date.now())}`}
          lines={card.stands}
        />
      )}
    </div>
  );
}

function Side({
  title,
  note,
  lines,
}: {
  readonly title: string;
  readonly note: string;
  readonly lines: readonly Line[];
}): ReactNode {
  return (
    <section className="side">
      <h4>{title}</h4>
      <dl>
        {lines.map(({ label, value }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {note !== "" && <p className="muted small">{note}</p>}
    </section>
  );
}

interface RenumberProps {
  readonly item: InboxItem;
  readonly onClose: () => void;
  readonly onSaved: () => void;
}

/** Lets a refused project be saved under another number: as the new one that it was, or as the change that it was. */
function Renumber({ item, onClose, onSaved }: RenumberProps): ReactNode {
  const { space } = useSite();
  const standing = item.key === undefined ? undefined : space.project.get(item.key);
  if (standing) return <ProjectDialog project={standing} onClose={onClose} onSaved={onSaved} />;
  const given = (item.tried ?? {}) as ProjectGiven;
  return <ProjectDialog given={{ ...given, key: item.key }} onClose={onClose} onSaved={onSaved} />;
}
