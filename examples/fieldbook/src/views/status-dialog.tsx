import { useSyncStatus } from "@landfall/react";
import { type ReactNode, useState } from "react";
import { useDeviceText } from "../device-store.js";
import { Dialog } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { offlineSwitch } from "../session.js";
import { useSite } from "../site-context.js";
import type { StatusWords } from "../status-words.js";
import { count, spanWords, timeWords } from "../time-words.js";

const connections = {
  offline: "None",
  polling: "Asking every minute",
  socket: "Live: changes arrive as they are made",
} as const;

/** Everything that is known of the sync, and a button to try now. */
export function StatusDialog({
  words,
  onClose,
}: {
  readonly words: StatusWords;
  readonly onClose: () => void;
}): ReactNode {
  const { id, client, sites } = useSite();
  const status = useSyncStatus();
  const isOff = useDeviceText(offlineSwitch) === "on";
  const [trying, setTrying] = useState<{ readonly isUnderWay: boolean; readonly text: string }>({
    isUnderWay: false,
    text: "",
  });
  const syncNow = async (): Promise<void> => {
    setTrying({ isUnderWay: true, text: "Trying…" });
    try {
      await client.sync();
      setTrying({ isUnderWay: false, text: "Everything is in step." });
    } catch (error) {
      setTrying({ isUnderWay: false, text: error instanceof Error ? error.message : String(error) });
    }
  };
  const now = Date.now() - status.clockSkewMs;
  const { pending, storage, clockSkewMs } = status;
  const others = Object.entries(status.spaces).filter(
    ([space, { state, pending: own }]) => space !== id && (state !== "live" || own > 0),
  );
  return (
    <Dialog title="Sync status" onClose={onClose}>
      <p className={`status-headline tone-${words.tone}`}>
        <span className="dot" aria-hidden="true" />
        <strong>{words.label}</strong> {words.details.join(" · ")}
      </p>
      {words.reason !== "" && <p>{words.reason}</p>}
      {storage.problem !== null && (
        <p className="warning">
          <strong>Storage:</strong> {storage.problem}
        </p>
      )}
      {clockSkewMs !== 0 && (
        <p className="warning">
          <strong>Clock:</strong> this device’s clock is {spanWords(clockSkewMs)}{" "}
          {clockSkewMs > 0 ? "ahead of" : "behind"} the server’s. Your edits are kept and sent all the same;
          set the clock so that times read right.
        </p>
      )}
      <dl className="facts">
        <div>
          <dt>Connection</dt>
          <dd>{connections[status.connection]}</dd>
        </div>
        <div>
          <dt>Not synced yet</dt>
          <dd>
            {pending.count === 0
              ? "Nothing"
              : `${count(pending.count, "change")}${pending.oldestAt === null ? "" : `, the oldest of ${timeWords(pending.oldestAt, now)}`}`}
          </dd>
        </div>
        <div>
          <dt>Last in step</dt>
          <dd>{lastWords(status.spaces[id]?.lastSyncedAt ?? null, now)}</dd>
        </div>
        <div>
          <dt>Kept in</dt>
          <dd>
            {storage.persistent
              ? "This browser’s storage"
              : "Memory only: closing this page loses what is not synced"}
          </dd>
        </div>
        {others.map(([space, other]) => (
          <div key={space}>
            <dt>{sites.known.find((site) => site.id === space)?.name || space}</dt>
            <dd>
              {other.pending > 0 ? `${count(other.pending, "change")} waiting. ` : ""}
              {other.reason || (other.state === "catching-up" ? "Catching up." : "")}
            </dd>
          </div>
        ))}
      </dl>
      <p role="status" className="trying">
        {trying.text}
      </p>
      <div className="dialog-actions">
        {isOff ? (
          // Trying would fail, and say of the server what is true of the switch.
          <button type="button" className="primary" data-focus onClick={() => offlineSwitch.set(null)}>
            <Icon name="sync" />
            Go online
          </button>
        ) : (
          <button
            type="button"
            className="primary"
            data-focus
            disabled={trying.isUnderWay}
            onClick={() => void syncNow()}
          >
            <Icon name="sync" />
            Sync now
          </button>
        )}
      </div>
    </Dialog>
  );
}

const lastWords = (at: number | null, now: number): string =>
  at === null ? "Never on this device" : timeWords(at, now);
