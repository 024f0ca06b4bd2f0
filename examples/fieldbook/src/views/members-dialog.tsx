import type { Member } from "@landfall/client";
import { useSyncStatus } from "@landfall/react";
import { type FormEvent, type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { ConfirmDialog } from "../parts/confirm-dialog.js";
import { Dialog } from "../parts/dialog.js";
import { SelectField, TextField } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { nameOf, userOf } from "../session.js";
import { useSite } from "../site-context.js";

type Role = Member["role"];
const roles: { readonly [R in Role]: string } = { owner: "Owner", writer: "Member", reader: "Reader" };

/** Who is in the site; owners invite, change and remove. All of it needs the server. */
export function MembersDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const { id, client, user, role } = useSite();
  const isConnected = useSyncStatus((status) => status.connection !== "offline");
  const [members, setMembers] = useState<readonly Member[]>();
  const [error, setError] = useState<string>();
  const [removing, setRemoving] = useState<string>();
  const form = useRef<HTMLFormElement>(null);
  const run = useCallback(
    async (change: () => Promise<unknown>): Promise<boolean> => {
      try {
        await change();
        setMembers(await client.spaces().members(id));
        setError(undefined);
        return true;
      } catch (failure) {
        setError(failure instanceof Error ? failure.message : String(failure));
        return false;
      }
    },
    [client, id],
  );
  useEffect(() => {
    if (isConnected) void run(async () => undefined);
  }, [run, isConnected]);
  const invite = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget;
    const given = new FormData(form);
    const name = userOf(String(given.get("name")));
    if (name === "") setError("Enter the name that they sign in with.");
    else if (await run(() => client.spaces().invite(id, name, String(given.get("role")) as Role)))
      form.reset();
  };
  return (
    <Dialog title="Members" onClose={onClose}>
      {!isConnected && <p className="warning">Members can be seen and changed only with a connection.</p>}
      {error !== undefined && isConnected && (
        <p className="warning" role="alert">
          {error}
        </p>
      )}
      <ul className="plain member-list" aria-label="Members of this site">
        {members?.map((member) => (
          <li key={member.user}>
            <span className="avatar" aria-hidden="true">
              {nameOf(member.user).slice(0, 1)}
            </span>
            <span className="member-name">
              {nameOf(member.user)}
              {member.user === user && " (you)"}
            </span>
            <span className="muted">{roles[member.role]}</span>
            {role === "owner" && member.user !== user && (
              <button
                type="button"
                className="quiet icon-only"
                aria-label={`Remove ${nameOf(member.user)}`}
                aria-haspopup="dialog"
                disabled={!isConnected}
                onClick={() => setRemoving(member.user)}
              >
                <Icon name="cross" />
              </button>
            )}
          </li>
        ))}
      </ul>
      {role === "owner" ? (
        <form ref={form} className="invite" onSubmit={(event) => void invite(event)} noValidate>
          <TextField label="Invite by name" name="name" data-focus="" />
          <SelectField label="As" name="role" defaultValue="writer">
            {Object.entries(roles).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </SelectField>
          <button type="submit" className="primary" disabled={!isConnected}>
            Invite
          </button>
        </form>
      ) : (
        <p className="muted">Owners of the site invite and remove people.</p>
      )}
      {removing !== undefined && (
        <ConfirmDialog
          title={`Remove ${nameOf(removing)}?`}
          action="Remove"
          isDangerous
          onClose={() => setRemoving(undefined)}
          onConfirm={() => {
            setRemoving(undefined);
            // The cross that was pressed goes, and the focus would go with it.
            void run(() => client.spaces().remove(id, removing)).then(() =>
              form.current?.querySelector("input")?.focus(),
            );
          }}
        >
          <p>
            The site goes from {nameOf(removing)}’s devices. What they have not synced is kept in their inbox.
          </p>
        </ConfirmDialog>
      )}
    </Dialog>
  );
}
