import { useSyncStatus } from "@landfall/react";
import { type ReactNode, useState } from "react";
import { Dialog } from "../parts/dialog.js";
import { forgetUser, nameOf } from "../session.js";
import { useSite } from "../site-context.js";
import { count } from "../time-words.js";

/** Who is signed in, and the way out, which loses nothing by accident. */
export function AccountDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const { client, user } = useSite();
  const pending = useSyncStatus((status) => status.pending.count);
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const leave = async (unsynced: "block" | "export" | "discard"): Promise<void> => {
    setBusy(true);
    try {
      if (unsynced === "block" && pending > 0) await client.sync();
      const writes = await client.signOut({ unsynced });
      if (unsynced === "export") saveFile(`fieldbook-${user}.json`, JSON.stringify(writes, null, 2));
      forgetUser(user);
    } catch (error) {
      setBusy(false);
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Dialog title={`Signed in as ${nameOf(user)}`} onClose={onClose}>
      {pending === 0 ? (
        <p>
          Signing out takes your data off this device. Everything is at the server, and comes back when you
          sign in.
        </p>
      ) : (
        <p className="warning">
          {count(pending, "change")} {pending === 1 ? "has" : "have"} not reached the server. Signing out
          takes your data off this device, so decide what becomes of {pending === 1 ? "it" : "them"}.
        </p>
      )}
      {problem !== undefined && (
        <p className="warning" role="alert">
          {problem}
        </p>
      )}
      <div className="dialog-actions stacked">
        <button
          type="button"
          className="primary"
          data-focus
          disabled={isBusy}
          onClick={() => void leave("block")}
        >
          {pending === 0 ? "Sign out" : "Sync, then sign out"}
        </button>
        {pending > 0 && (
          <>
            <button type="button" disabled={isBusy} onClick={() => void leave("export")}>
              Save them to a file and sign out
            </button>
            <button type="button" className="danger" disabled={isBusy} onClick={() => void leave("discard")}>
              Delete them and sign out
            </button>
          </>
        )}
      </div>
    </Dialog>
  );
}

function saveFile(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  // The download has begun from the address; it is let go of when the browser has taken it.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
