import { WriteError } from "@landfall/client";
import { useRecords } from "@landfall/react";
import { type FormEvent, type ReactNode, useState } from "react";
import { useDraft } from "../draft.js";
import { Dialog } from "../parts/dialog.js";
import { TextField } from "../parts/field.js";
import { nextNumber } from "../project-list.js";
import type { Project } from "../records.js";
import { useSite } from "../site-context.js";

/** What a form is filled with that makes a project. */
export interface ProjectGiven {
  readonly number?: string | undefined;
  readonly name?: string | undefined;
  readonly place?: string | undefined;
}

interface ProjectDialogProps {
  /** The project to edit; a new one is made without it. */
  readonly project?: Project;
  /** What a new project starts with, and the key that it gets where others refer to it already. */
  readonly given?: ProjectGiven & { readonly key?: string | undefined };
  /** The key of a deleted project that is brought back. */
  readonly restored?: string;
  readonly onSaved?: (key: string) => void;
  readonly onClose: () => void;
}

type Errors = { readonly [F in "number" | "name" | "all"]?: string };

export function ProjectDialog({ project, given, restored, onSaved, onClose }: ProjectDialogProps): ReactNode {
  const { space } = useSite();
  const projects = useRecords(space.project);
  const draft = useDraft(space, project ? `project.${project.key}` : "project");
  const [errors, setErrors] = useState<Errors>({});
  // What it was when the form opened: only what a person changed is written, so that nothing else of theirs or others' is.
  const [before] = useState<ProjectGiven>(
    () => project ?? given ?? { number: nextNumber(projects.map(({ number }) => number)) },
  );
  const [filled] = useState<ProjectGiven>(() => (given ? before : { ...before, ...draft.restored }));
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string): string => String(form.get(name) ?? "").trim();
    const entered = { number: text("number"), name: text("name"), place: text("place") };
    const taken = projects.find(({ key, number }) => number === entered.number && key !== project?.key);
    const found: Errors = {
      ...(entered.number === ""
        ? { number: "Give the project a number." }
        : taken
          ? { number: `“${taken.name}” has this number.` }
          : {}),
      ...(entered.name === "" ? { name: "Give the project a name." } : {}),
    };
    if (Object.keys(found).length > 0) {
      setErrors(found);
      return;
    }
    try {
      const key = project ? update(project, entered) : create(entered);
      draft.drop();
      onClose();
      onSaved?.(key);
    } catch (error) {
      if (!(error instanceof WriteError)) throw error;
      setErrors({ all: error.message });
    }
  };
  const create = ({ number, name, place }: { number: string; name: string; place: string }): string => {
    const key = given?.key;
    const fields = { number, name, ...(place === "" ? {} : { place }) };
    if (restored !== undefined) return space.project.restore(restored, fields).key;
    return space.project.create(fields, key === undefined ? {} : { key }).key;
  };
  const update = (
    { key }: Project,
    { number, name, place }: { number: string; name: string; place: string },
  ): string => {
    const patch = {
      ...(number === before.number ? {} : { number }),
      ...(name === before.name ? {} : { name }),
      ...(place === (before.place ?? "") || place === "" ? {} : { place }),
    };
    const unset = place === "" && before.place !== undefined ? (["place"] as const) : [];
    if (Object.keys(patch).length + unset.length > 0) space.project.update(key, patch, { unset });
    return key;
  };
  return (
    <Dialog
      title={project ? `Edit ${project.number}` : restored ? "Bring the project back" : "New project"}
      onClose={onClose}
    >
      <form onSubmit={submit} onChange={(event) => draft.keep(event.currentTarget)} noValidate>
        {errors.all !== undefined && (
          <p className="warning" role="alert">
            {errors.all}
          </p>
        )}
        <TextField
          label="Number"
          name="number"
          defaultValue={filled.number}
          error={errors.number}
          maxLength={40}
          hint="One of its kind on this site."
        />
        <TextField
          label="Name"
          name="name"
          data-focus=""
          defaultValue={filled.name}
          error={errors.name}
          maxLength={200}
        />
        <TextField label="Place (optional)" name="place" defaultValue={filled.place} maxLength={200} />
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
            {project ? "Save" : restored ? "Bring it back" : "Add project"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
