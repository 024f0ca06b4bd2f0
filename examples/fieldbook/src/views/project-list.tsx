import { useRecord, useRecords } from "@landfall/react";
import { type ReactNode, memo, useDeferredValue, useMemo, useState } from "react";
import { NotSynced, SeverityBadge } from "../parts/badges.js";
import { Choice } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { type ProjectSummary, choose, summarize } from "../project-list.js";
import type { Setting } from "../records.js";
import { goTo, hashOf } from "../route.js";
import { type OpenSite, useSite } from "../site-context.js";
import { count } from "../time-words.js";
import { ProjectDialog } from "./project-dialog.js";

type Shown = Pick<Setting, "filter" | "order">;

const filters = [
  { value: "open", label: "Open" },
  { value: "closed", label: "Closed" },
  { value: "all", label: "All" },
] as const;

interface ProjectListProps {
  readonly selected: string | undefined;
}

export const ProjectList = memo(function ProjectList({ selected }: ProjectListProps): ReactNode {
  const site = useSite();
  const { id, space, canWrite } = site;
  const projects = useRecords(space.project);
  const points = useRecords(space.controlpoint);
  const deviations = useRecords(space.deviation);
  const { filter, order }: Shown = useRecord(space.setting, "list") ?? { filter: "open", order: "number" };
  const [search, setSearch] = useState("");
  const [isAdding, setAdding] = useState(false);
  // Typing is never held up by a long list.
  const sought = useDeferredValue(search);
  const summaries = useMemo(() => summarize(projects, points, deviations), [projects, points, deviations]);
  const shown = useMemo(
    () => choose(summaries, { filter, order, search: sought }),
    [summaries, filter, order, sought],
  );
  const show = (change: Partial<Shown>): void => void space.setting.put("list", { filter, order, ...change });
  return (
    <section className="list" aria-label="Projects">
      <div className="list-head">
        <h1 tabIndex={-1}>Projects</h1>
        {canWrite && (
          <button type="button" className="primary" aria-haspopup="dialog" onClick={() => setAdding(true)}>
            <Icon name="add" />
            New project
          </button>
        )}
      </div>
      <div className="list-tools">
        <div className="search">
          <Icon name="search" />
          <input
            type="search"
            aria-label="Search projects"
            placeholder="Number, name, place or tag"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
        </div>
        <div className="list-choices">
          <Choice
            legend="Show"
            isLegendHidden
            value={filter}
            options={filters}
            onChange={(value) => show({ filter: value })}
          />
          <select
            className="order"
            aria-label="Order"
            value={order}
            onChange={(event) => show({ order: event.target.value as Shown["order"] })}
          >
            <option value="number">By number</option>
            <option value="name">By name</option>
            <option value="severity">Worst first</option>
          </select>
        </div>
      </div>
      {shown.length === 0 ? (
        <div className="empty">
          <p>{whyEmpty(projects.length > 0, site)}</p>
          {!site.hasAccess && <AskAgain />}
        </div>
      ) : (
        <ul className="plain project-rows">
          {shown.map((summary) => (
            <ProjectRow
              key={summary.project.key}
              summary={summary}
              site={id}
              isSelected={summary.project.key === selected}
            />
          ))}
        </ul>
      )}
      {isAdding && (
        <ProjectDialog
          onClose={() => setAdding(false)}
          onSaved={(project) => goTo({ view: "project", site: id, project })}
        />
      )}
    </section>
  );
});

/** Whoever was removed may have been invited again, which the client itself finds out only every few minutes. */
function AskAgain(): ReactNode {
  const { client, sites } = useSite();
  const [isAsking, setAsking] = useState(false);
  const ask = async (): Promise<void> => {
    setAsking(true);
    // What comes of it shows in the list and in the status.
    await client.sync().catch(() => undefined);
    await sites.refresh();
    setAsking(false);
  };
  return (
    <button type="button" disabled={isAsking} onClick={() => void ask()}>
      <Icon name="sync" />
      Ask again
    </button>
  );
}

function whyEmpty(hasAny: boolean, { hasAccess, hasSynced, canWrite }: OpenSite): string {
  if (hasAny) return "No project fits. Change the search, or show all.";
  if (!hasAccess) return "You no longer have access to this site.";
  if (!hasSynced)
    return "Nothing is stored on this device yet. What is at the server shows as soon as it has been fetched.";
  return canWrite ? "No projects yet. Add the first one: it works offline too." : "No projects yet.";
}

interface ProjectRowProps {
  readonly summary: ProjectSummary;
  readonly site: string;
  readonly isSelected: boolean;
}

const ProjectRow = memo(
  function ProjectRow({ summary, site, isSelected }: ProjectRowProps): ReactNode {
    const { project, points, checked, openDeviations, worst, pending } = summary;
    return (
      <li>
        <a
          className="project-row"
          href={hashOf({ view: "project", site, project: project.key })}
          aria-current={isSelected ? "true" : undefined}
          data-project={project.key}
        >
          <span className="project-line">
            <span className="project-number">{project.number}</span>
            {project.status === "closed" && <span className="badge closed">Closed</span>}
            <NotSynced shown={pending} />
          </span>
          <span className="project-name">{project.name}</span>
          <span className="project-line muted">
            <span>{points === 0 ? "No control points" : `${checked} of ${points} checked`}</span>
            {worst && (
              <>
                <SeverityBadge severity={worst} />
                <span>{count(openDeviations, "open deviation")}</span>
              </>
            )}
          </span>
        </a>
      </li>
    );
  },
  // A summary is made anew with every change of the site; what it says seldom is.
  (before, after) =>
    before.isSelected === after.isSelected &&
    before.site === after.site &&
    (Object.keys(after.summary) as (keyof ProjectSummary)[]).every(
      (name) => before.summary[name] === after.summary[name],
    ),
);
