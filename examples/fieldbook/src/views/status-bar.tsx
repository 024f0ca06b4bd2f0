import { useSyncStatus } from "@landfall/react";
import { type ReactNode, useEffect, useState } from "react";
import { useDeviceText } from "../device-store.js";
import { offlineSwitch } from "../session.js";
import { useSite } from "../site-context.js";
import { type StatusWords, announcement, statusWords } from "../status-words.js";
import { applyUpdate, useUpdate } from "../app-update.js";
import { StatusDialog } from "./status-dialog.js";

/** What a state that lasts shorter is not worth telling. */
const settledMs = 1_500;
/** The bar shows times of day; a new day or minute changes them. */
const tickMs = 30_000;

function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), tickMs);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** Always there, and always true: how the sync is, what waits, and the switch that cuts the network. */
export function StatusBar(): ReactNode {
  const { id } = useSite();
  const status = useSyncStatus();
  const isOff = useDeviceText(offlineSwitch) === "on";
  const hasUpdate = useUpdate();
  const now = useNow();
  const [isShown, setShown] = useState(false);
  const words = statusWords(status, { site: id, switchedOff: isOff, now: now - status.clockSkewMs });
  const pending = status.spaces[id]?.pending ?? 0;
  const warning = status.storage.problem !== null || status.clockSkewMs !== 0;
  return (
    <footer className={`status tone-${words.tone}`}>
      {words.progress !== undefined && (
        <progress className="status-progress" aria-label={words.label} value={words.progress} />
      )}
      <button
        type="button"
        className="status-button quiet"
        aria-haspopup="dialog"
        onClick={() => setShown(true)}
      >
        <span className="only-heard">Sync status: </span>
        <span className="dot" aria-hidden="true" />
        <span className="status-label">{words.label}</span>
        <span className="status-detail">
          {words.details.map((detail) => (
            <span key={detail}>{detail}</span>
          ))}
        </span>
        {warning && (
          <span className="status-warning">
            {status.storage.problem === null ? "Check the clock" : "Storage problem"}
          </span>
        )}
      </button>
      {hasUpdate && (
        <button type="button" className="small-button" onClick={applyUpdate}>
          Update ready: reload
        </button>
      )}
      <button
        type="button"
        role="switch"
        aria-checked={isOff}
        className="switch quiet"
        onClick={() => offlineSwitch.set(isOff ? null : "on")}
      >
        <span>Work offline</span>
        <span className="switch-track" aria-hidden="true" />
      </button>
      <Announcer words={words} pending={pending} />
      {isShown && <StatusDialog words={words} onClose={() => setShown(false)} />}
    </footer>
  );
}

/** Tells those who do not see the bar, politely, and only what lasts. */
function Announcer({ words, pending }: { readonly words: StatusWords; readonly pending: number }): ReactNode {
  const text = announcement(words, pending);
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSaid(text), settledMs);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div className="only-heard" role="status" aria-live="polite">
      {said}
    </div>
  );
}
