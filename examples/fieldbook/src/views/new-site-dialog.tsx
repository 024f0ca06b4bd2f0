import { type FormEvent, type ReactNode, useState } from "react";
import { Dialog } from "../parts/dialog.js";
import { TextField } from "../parts/field.js";
import type { FieldbookClient } from "../records.js";
import { goTo } from "../route.js";
import type { Sites } from "../sites.js";

interface NewSiteDialogProps {
  readonly client: FieldbookClient;
  readonly sites: Sites;
  readonly onClose: () => void;
}

/** An id that nobody can guess, so that it is made without asking anybody. */
function newSiteId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `site-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Makes a site, also offline: the server hears of it at the first contact. */
export function NewSiteDialog({ client, sites, onClose }: NewSiteDialogProps): ReactNode {
  const [error, setError] = useState<string>();
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name")).trim();
    if (name === "") {
      setError("Give the site a name.");
      return;
    }
    const id = newSiteId();
    const space = await client.space(id, { create: true }).open();
    space.site.put("about", { name });
    sites.note({ id, name, role: "owner" });
    onClose();
    goTo({ view: "projects", site: id });
  };
  return (
    <Dialog title="New site" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <TextField
          label="Name"
          name="name"
          data-focus=""
          error={error}
          maxLength={200}
          hint="Such as the address, or what is being built."
        />
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="primary">
            Make the site
          </button>
        </div>
      </form>
    </Dialog>
  );
}
