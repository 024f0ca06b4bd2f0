import { useAction, useInbox, useRecord } from "@landfall/react";
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { NotSynced } from "../parts/badges.js";
import { ConfirmDialog } from "../parts/confirm-dialog.js";
import { Icon } from "../parts/icon.js";
import type { Project } from "../records.js";
import { goTo, hashOf } from "../route.js";
import { useSite } from "../site-context.js";
import { count } from "../time-words.js";
import { DeviationList } from "./deviation-list.js";
import { PointList } from "./point-list.js";
import { ProjectDialog } from "./project-dialog.js";

export function ProjectPage({ projectKey }: { readonly projectKey: string }): ReactNode {
  const { id, space } = useSite();
  const project = useRecord(space.project, projectKey);
  const conflicts = useInbox(space.inbox).filter(
    ({ domain, key }) => domain === "project" && key === projectKey,
  ).length;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
    document.querySelector("#main")?.scrollTo(0, 0);
  }, []);
  return (
    <article className="project">
      <a className="back quiet button" href={hashOf({ view: "projects", site: id })}>
        <Icon name="back" />
        Projects
      </a>
      {conflicts > 0 && (
        <p className="warning">
          {count(conflicts, "change")} of yours to this project did not come through.{" "}
          <a href={hashOf({ view: "inbox", site: id })}>Decide in the inbox</a>
        </p>
      )}
      {project ? (
        <>
          <ProjectHead project={project} heading={heading} />
          <PointList project={project} />
          <DeviationList project={project} />
        </>
      ) : (
        <div className="empty">
          <h2 ref={heading} tabIndex={-1}>
            This project is not here
          </h2>
          <p>It was deleted, or it has not reached this device yet.</p>
        </div>
      )}
    </article>
  );
}

interface ProjectHeadProps {
  readonly project: Project;
  readonly heading: React.RefObject<HTMLHeadingElement | null>;
}

function ProjectHead({ project, heading }: ProjectHeadProps): ReactNode {
  const { id, space, canWrite } = useSite();
  const [asked, setAsked] = useState<"edit" | "close" | "delete">();
  const [closeProject, closing] = useAction(space.actions.closeProject);
  const done = (): void => setAsked(undefined);
  const isClosed = project.status === "closed";
  return (
    <header className="project-head">
      <p className="project-line">
        <span className="project-number">{project.number}</span>
        {isClosed && <span className="badge closed">Closed</span>}
        <NotSynced shown={project.$.pending} />
      </p>
      <h2 ref={heading} tabIndex={-1}>
        {project.name}
      </h2>
      {project.place !== undefined && (
        <p className="place muted">
          <Icon name="place" />
          {project.place}
        </p>
      )}
      <Tags project={project} />
      <div className="project-actions">
        <button
          type="button"
          disabled={!canWrite}
          onClick={() => space.project.increment(project.key, { visits: 1 })}
        >
          <Icon name="add" />
          Visit
          <span className="count">
            {project.visits}
            <span className="only-heard"> so far</span>
          </span>
        </button>
        {canWrite && (
          <>
            <button type="button" aria-haspopup="dialog" onClick={() => setAsked("edit")}>
              <Icon name="edit" />
              Edit
            </button>
            {isClosed ? (
              <button type="button" onClick={() => space.project.update(project.key, { status: "open" })}>
                <Icon name="sync" />
                Reopen
              </button>
            ) : (
              <button type="button" aria-haspopup="dialog" onClick={() => setAsked("close")}>
                <Icon name="check" />
                Close project
              </button>
            )}
            <button type="button" className="quiet" aria-haspopup="dialog" onClick={() => setAsked("delete")}>
              <Icon name="trash" />
              Delete
            </button>
          </>
        )}
      </div>
      {closing.state === "failed" && (
        <p className="warning" role="alert">
          {closing.error.message}
        </p>
      )}
      {asked === "edit" && <ProjectDialog project={project} onClose={done} />}
      {asked === "close" && (
        <ConfirmDialog
          title={`Close ${project.number}?`}
          action="Close project"
          onClose={done}
          onConfirm={() => {
            closeProject({ id: project.key });
            done();
          }}
        >
          <p>
            Closing it closes its open deviations too, also those that others have reported and you have not
            seen yet.
          </p>
        </ConfirmDialog>
      )}
      {asked === "delete" && (
        <ConfirmDialog
          title={`Delete ${project.number}?`}
          action="Delete project"
          isDangerous
          onClose={done}
          onConfirm={() => {
            space.project.delete(project.key);
            done();
            goTo({ view: "projects", site: id }, "replace");
          }}
        >
          <p>
            “{project.name}” goes for everybody, with its control points and deviations. Closing it would keep
            them.
          </p>
        </ConfirmDialog>
      )}
    </header>
  );
}

function Tags({ project }: { readonly project: Project }): ReactNode {
  const { space, canWrite } = useSite();
  const [isAdding, setAdding] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = (): void => {
    setAdding(false);
    // The field goes, and the focus would go with it.
    requestAnimationFrame(() => button.current?.focus());
  };
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const tag = String(new FormData(event.currentTarget).get("tag")).trim();
    if (tag !== "" && !project.tags.includes(tag)) space.project.add(project.key, { tags: [tag] });
    close();
  };
  return (
    <div className="tags">
      <ul className="plain" aria-label="Tags">
        {project.tags.map((tag) => (
          <li key={tag} className="tag">
            {tag}
            {canWrite && (
              <button
                type="button"
                className="quiet icon-only"
                aria-label={`Remove tag ${tag}`}
                onClick={() => {
                  space.project.remove(project.key, { tags: [tag] });
                  button.current?.focus();
                }}
              >
                <Icon name="cross" />
              </button>
            )}
          </li>
        ))}
      </ul>
      {canWrite &&
        (isAdding ? (
          <form onSubmit={submit}>
            <input
              name="tag"
              aria-label="New tag"
              maxLength={40}
              autoFocus
              autoComplete="off"
              onKeyDown={(event) => event.key === "Escape" && close()}
            />
            <button type="submit">Add</button>
          </form>
        ) : (
          <button ref={button} type="button" className="quiet small-button" onClick={() => setAdding(true)}>
            <Icon name="add" />
            Tag
          </button>
        ))}
    </div>
  );
}
