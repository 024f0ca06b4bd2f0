import { useRecords } from "@landfall/react";
import { type FormEvent, type ReactNode, useId, useMemo, useRef, useState } from "react";
import { NotSynced } from "../parts/badges.js";
import { Choice } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { inOrder } from "../project-list.js";
import type { ControlPoint, Project } from "../records.js";
import { nameOf } from "../session.js";
import { useSite } from "../site-context.js";
import { timeWords } from "../time-words.js";
import { DeviationDialog } from "./deviation-dialog.js";

const results = [
  { value: "open", label: "Not checked" },
  { value: "ok", label: "OK" },
  { value: "failed", label: "Not OK" },
] as const;
type Result = (typeof results)[number]["value"];

export function PointList({ project }: { readonly project: Project }): ReactNode {
  const { space, canWrite } = useSite();
  const found = useRecords(space.controlpoint, { where: { projectId: project.key } });
  const points = useMemo(() => found.toSorted((a, b) => inOrder(a.title, b.title)), [found]);
  const [reporting, setReporting] = useState<ControlPoint>();
  const title = useId();
  const field = useRef<HTMLInputElement>(null);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("title")).trim();
    if (name !== "") space.controlpoint.create({ projectId: project.key, title: name });
    event.currentTarget.reset();
    field.current?.focus();
  };
  const checked = useMemo(() => points.filter(({ check }) => check).length, [points]);
  return (
    <section className="part" aria-labelledby={title}>
      <div className="part-head">
        <h3 id={title}>Control points</h3>
        {points.length > 0 && (
          <span className="muted">
            {checked} of {points.length} checked
          </span>
        )}
      </div>
      {points.length === 0 && (
        <p className="empty">No control points yet{canWrite ? ". Add what is to be looked at." : "."}</p>
      )}
      <ul className="plain rows">
        {points.map((point) => (
          <PointRow key={point.key} point={point} onReport={setReporting} />
        ))}
      </ul>
      {canWrite && (
        <form className="add-row" onSubmit={submit}>
          <input
            ref={field}
            name="title"
            aria-label="New control point"
            placeholder="What is to be looked at"
            maxLength={200}
            autoComplete="off"
          />
          <button type="submit">
            <Icon name="add" />
            Add point
          </button>
        </form>
      )}
      {reporting && (
        <DeviationDialog project={project} point={reporting} onClose={() => setReporting(undefined)} />
      )}
    </section>
  );
}

interface PointRowProps {
  readonly point: ControlPoint;
  readonly onReport: (point: ControlPoint) => void;
}

function PointRow({ point, onReport }: PointRowProps): ReactNode {
  const { space, user, canWrite, now, offerUndo } = useSite();
  const { key, title, check } = point;
  const remove = (): void => {
    const { key: _key, $: _, ...fields } = point;
    space.controlpoint.delete(key);
    offerUndo({ name: title, restore: () => space.controlpoint.restore(key, fields) });
  };
  const setResult = (result: Result): void => {
    if (result === "open") space.controlpoint.update(key, {}, { unset: ["check"] });
    else space.controlpoint.update(key, { check: { result, by: user, at: now() } });
  };
  return (
    <li className="row">
      <div className="row-text">
        <span className="row-title">
          {title} <NotSynced shown={point.$.pending} />
        </span>
        {check && (
          <span className="muted small">
            {nameOf(check.by)}, {timeWords(check.at, now())}
          </span>
        )}
      </div>
      <Choice
        legend={`Result of ${title}`}
        isLegendHidden
        value={check?.result ?? "open"}
        options={results}
        onChange={setResult}
        disabled={!canWrite}
      />
      {canWrite && (
        <div className="row-actions">
          {check?.result === "failed" && (
            <button
              type="button"
              className="small-button"
              aria-haspopup="dialog"
              onClick={() => onReport(point)}
            >
              <Icon name="flag" />
              Report<span className="only-heard"> a deviation at {title}</span>
            </button>
          )}
          <button
            type="button"
            className="quiet icon-only"
            aria-label={`Delete control point ${title}`}
            onClick={remove}
          >
            <Icon name="trash" />
          </button>
        </div>
      )}
    </li>
  );
}
