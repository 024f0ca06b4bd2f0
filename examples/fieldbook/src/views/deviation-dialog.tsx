import { WriteError } from "@landfall/client";
import { useRecords } from "@landfall/react";
import { type FormEvent, type ReactNode, useState } from "react";
import { useDraft } from "../draft.js";
import { Dialog } from "../parts/dialog.js";
import { Choice, SelectField, TextArea, TextField } from "../parts/field.js";
import { capital } from "../inbox-words.js";
import {
  type ControlPoint,
  type Deviation,
  type Project,
  type Severity,
  type SiteSpace,
  severities,
} from "../records.js";
import { useSite } from "../site-context.js";

interface DeviationDialogProps {
  readonly project: Project;
  /** The deviation to edit; a new one is reported without it. */
  readonly deviation?: Deviation;
  /** The control point that a new one was found at. */
  readonly point?: ControlPoint;
  readonly onClose: () => void;
}

interface Entered {
  readonly title: string;
  readonly details: string;
  readonly pointId: string;
  readonly severity: Severity;
}

const options = severities.toReversed().map((value) => ({ value, label: capital(value) }));

const isSeverity = (text: string | undefined): text is Severity =>
  severities.some((severity) => severity === text);

type Given = Pick<Deviation, "projectId" | "reported">;

function create(space: SiteSpace, given: Given, { title, details, pointId, severity }: Entered): void {
  const found = { ...(details === "" ? {} : { details }), ...(pointId === "" ? {} : { pointId }) };
  space.deviation.create({ ...given, title, severity, ...found });
}

/** Writes only what was changed: the rest may have been changed by others meanwhile. */
function update(space: SiteSpace, key: string, before: Entered, entered: Entered): void {
  const fields = ["title", "details", "pointId", "severity"] as const;
  const changed = fields.filter((field) => entered[field] !== before[field]);
  if (changed.length === 0) return;
  const emptied = changed.filter((field) => entered[field] === "");
  const set = Object.fromEntries(
    changed.filter((field) => !emptied.includes(field)).map((field) => [field, entered[field]]),
  );
  const unset = (["details", "pointId"] as const).filter((field) => emptied.includes(field));
  space.deviation.update(key, set, { unset });
}

export function DeviationDialog({ project, deviation, point, onClose }: DeviationDialogProps): ReactNode {
  const { space, user, now } = useSite();
  const points = useRecords(space.controlpoint, {
    where: { projectId: project.key },
    orderBy: [["title", "asc"]],
  });
  const draft = useDraft(space, `deviation.${deviation?.key ?? `${project.key}.${point?.key ?? "new"}`}`);
  const [before] = useState<Entered>(() => ({
    title: deviation?.title ?? "",
    details: deviation?.details ?? "",
    pointId: deviation?.pointId ?? point?.key ?? "",
    severity: deviation?.severity ?? "minor",
  }));
  const { restored } = draft;
  const [severity, setSeverity] = useState<Severity>(
    isSeverity(restored?.["severity"]) ? restored["severity"] : before.severity,
  );
  const [error, setError] = useState<string>();
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string): string => String(form.get(name) ?? "").trim();
    const entered: Entered = {
      title: text("title"),
      details: text("details"),
      pointId: text("pointId"),
      severity,
    };
    if (entered.title === "") {
      setError("Say in a few words what is wrong.");
      return;
    }
    try {
      if (deviation) update(space, deviation.key, before, entered);
      else create(space, { projectId: project.key, reported: { by: user, at: now() } }, entered);
      draft.drop();
      onClose();
    } catch (failure) {
      if (!(failure instanceof WriteError)) throw failure;
      setError(failure.message);
    }
  };
  return (
    <Dialog title={deviation ? "Edit deviation" : "Report deviation"} onClose={onClose}>
      <form onSubmit={submit} onChange={(event) => draft.keep(event.currentTarget)} noValidate>
        <TextField
          label="What is wrong"
          name="title"
          data-focus=""
          defaultValue={restored?.["title"] ?? before.title}
          error={error}
          maxLength={200}
        />
        <Choice legend="Severity" name="severity" value={severity} options={options} onChange={setSeverity} />
        <SelectField
          label="Found at (optional)"
          name="pointId"
          defaultValue={restored?.["pointId"] ?? before.pointId}
        >
          <option value="">No particular control point</option>
          {points.map(({ key, title }) => (
            <option key={key} value={key}>
              {title}
            </option>
          ))}
        </SelectField>
        <TextArea
          label="Details (optional)"
          name="details"
          defaultValue={restored?.["details"] ?? before.details}
          maxLength={4_000}
        />
        {restored && !deviation && <p className="muted small">What you had begun to write was kept.</p>}
        <div className="dialog-actions">
          <button
            type="button"
            onClick={() => {
              draft.drop();
              onClose();
            }}
          >
            Cancel
          </button>
          <button type="submit" className="primary">
            {deviation ? "Save" : "Report"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
