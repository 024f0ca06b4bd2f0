import { useRecord, useRecords } from "@landfall/react";
import { type ReactNode, useId, useMemo, useState } from "react";
import { NotSynced, SeverityBadge } from "../parts/badges.js";
import { Icon } from "../parts/icon.js";
import { type Deviation, type Project, severities } from "../records.js";
import { nameOf } from "../session.js";
import { useSite } from "../site-context.js";
import { count, timeWords } from "../time-words.js";
import { DeviationDialog } from "./deviation-dialog.js";

export function DeviationList({ project }: { readonly project: Project }): ReactNode {
  const { space, canWrite } = useSite();
  const deviations = useRecords(space.deviation, { where: { projectId: project.key } });
  const [edited, setEdited] = useState<Deviation | "new">();
  const title = useId();
  const { open, closed } = useMemo(() => {
    const byWorst = deviations.toSorted(
      (a, b) =>
        severities.indexOf(a.severity) - severities.indexOf(b.severity) || a.reported.at - b.reported.at,
    );
    return { open: byWorst.filter((one) => !one.closed), closed: byWorst.filter((one) => one.closed) };
  }, [deviations]);
  return (
    <section className="part" aria-labelledby={title}>
      <div className="part-head">
        <h3 id={title}>Deviations</h3>
        {open.length > 0 && <span className="muted">{open.length} open</span>}
        {canWrite && (
          <button type="button" aria-haspopup="dialog" onClick={() => setEdited("new")}>
            <Icon name="flag" />
            Report deviation
          </button>
        )}
      </div>
      {deviations.length === 0 && <p className="empty">No deviations. So far, so good.</p>}
      <ul className="plain rows">
        {open.map((deviation) => (
          <DeviationRow key={deviation.key} deviation={deviation} onEdit={setEdited} />
        ))}
      </ul>
      {closed.length > 0 && (
        <details className="closed-rows">
          <summary>{count(closed.length, "closed deviation")}</summary>
          <ul className="plain rows">
            {closed.map((deviation) => (
              <DeviationRow key={deviation.key} deviation={deviation} onEdit={setEdited} />
            ))}
          </ul>
        </details>
      )}
      {edited && (
        <DeviationDialog
          project={project}
          {...(edited === "new" ? {} : { deviation: edited })}
          onClose={() => setEdited(undefined)}
        />
      )}
    </section>
  );
}

interface DeviationRowProps {
  readonly deviation: Deviation;
  readonly onEdit: (deviation: Deviation) => void;
}

function DeviationRow({ deviation, onEdit }: DeviationRowProps): ReactNode {
  const { space, user, canWrite, now, offerUndo } = useSite();
  const { key, title, details, severity, reported, closed, pointId } = deviation;
  const remove = (): void => {
    const { key: _key, $: _, ...fields } = deviation;
    space.deviation.delete(key);
    offerUndo({ name: title, restore: () => space.deviation.restore(key, fields) });
  };
  const point = useRecord(space.controlpoint, pointId);
  return (
    <li className="row">
      <div className="row-text">
        <span className="row-title">
          <SeverityBadge severity={severity} /> {title} <NotSynced shown={deviation.$.pending} />
        </span>
        {details !== undefined && <p className="details">{details}</p>}
        <span className="muted small">
          {point && `${point.title} · `}
          {nameOf(reported.by)}, {timeWords(reported.at, now())}
          {closed && ` · closed by ${nameOf(closed.by)}, ${timeWords(closed.at, now())}`}
        </span>
      </div>
      {canWrite && (
        <div className="row-actions">
          <button
            type="button"
            className="small-button"
            onClick={() =>
              closed
                ? space.deviation.update(key, {}, { unset: ["closed"] })
                : space.deviation.update(key, { closed: { by: user, at: now() } })
            }
          >
            <Icon name={closed ? "sync" : "check"} />
            {closed ? "Reopen" : "Close"}
            <span className="only-heard"> deviation {title}</span>
          </button>
          <button
            type="button"
            className="quiet icon-only"
            aria-label={`Edit deviation ${title}`}
            aria-haspopup="dialog"
            onClick={() => onEdit(deviation)}
          >
            <Icon name="edit" />
          </button>
          <button
            type="button"
            className="quiet icon-only"
            aria-label={`Delete deviation ${title}`}
            onClick={remove}
          >
            <Icon name="trash" />
          </button>
        </div>
      )}
    </li>
  );
}
