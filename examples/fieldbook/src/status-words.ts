import type { ClientStatus, SpaceStatus, SyncState } from "@landfall/client";
import { count, timeWords } from "./time-words.js";

/** How the sync is, in a person's words. */
export interface StatusWords {
  /** `good`: nothing to do. `busy`: it is being done. `waiting`: it will be done by itself. `bad`: a person is needed. */
  readonly tone: "good" | "busy" | "waiting" | "bad";
  /** Two or three words. */
  readonly label: string;
  /** How far it is, the most important first: what waits, how far it has come, when it was last in step. */
  readonly details: readonly string[];
  /** Why it is so, in a sentence; empty when there is nothing to say. */
  readonly reason: string;
  /** Between 0 and 1 while something long is under way. */
  readonly progress: number | undefined;
}

interface Circumstances {
  readonly site: string;
  /** The person's own offline switch is on. */
  readonly switchedOff: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly locale?: string;
}

const clientWide: ReadonlySet<SyncState> = new Set([
  "signed-out",
  "needs-auth",
  "locked",
  "offline",
  "backing-off",
]);

/** What the status bar says. What keeps everything from syncing comes before what this site suffers from. */
export function statusWords(
  status: ClientStatus,
  { site, switchedOff, now, locale }: Circumstances,
): StatusWords {
  const space = status.spaces[site];
  const state = clientWide.has(status.state) ? status.state : (space?.state ?? "catching-up");
  // What the client calls a space is a site here.
  const reason = (clientWide.has(status.state) ? status.reason : (space?.reason ?? "")).replaceAll(
    "space",
    "site",
  );
  const pending = space?.pending ?? 0;
  const waiting = pending > 0 ? `${count(pending, "change")} waiting` : "";
  const last = space?.lastSyncedAt ?? null;
  const synced = last === null ? "never synced" : `synced ${timeWords(last, now, locale)}`;
  const details = [waiting, synced].filter((part) => part !== "");
  const words = (tone: StatusWords["tone"], label: string, more: Partial<StatusWords> = {}): StatusWords => ({
    tone,
    label,
    details,
    reason,
    progress: undefined,
    ...more,
  });
  switch (state) {
    case "offline":
      return words("waiting", "Offline", {
        reason: switchedOff
          ? "You switched the network off for Fieldbook. Everything you do is kept on this device."
          : reason,
      });
    case "backing-off":
      return words("waiting", "Server trouble", {
        reason: retryWords(reason, status.error?.retryAt ?? null, now, locale),
      });
    case "signed-out":
    case "needs-auth":
      return words("bad", "Sign in again");
    case "locked":
      return words("waiting", "Paused");
    case "outdated":
      return words("bad", "Update needed");
    case "frozen":
      return words("bad", "Sync stopped");
    case "revoked":
      return words("bad", "No access", {
        reason: "You are no longer a member of this site. What had not reached the server is in the inbox.",
      });
    case "catching-up":
      return catchingUp(space, words);
    case "live":
      if (pending > 0) return words("busy", "Sending", { details: [count(pending, "change")] });
      return words("good", "Up to date");
  }
}

function catchingUp(
  space: SpaceStatus | undefined,
  words: (tone: StatusWords["tone"], label: string, more?: Partial<StatusWords>) => StatusWords,
): StatusWords {
  const progress = space?.progress;
  const far = progress && progress.total > 0 ? progress.done / progress.total : undefined;
  const label = space?.hasSynced ? "Catching up" : "Fetching the site";
  // Trouble that the client waits out by itself comes with a reason; without one it is simply under way.
  if (space?.reason) return words("waiting", "Waiting");
  if (far === undefined) return words("busy", label);
  return words("busy", label, { progress: far, details: [`${Math.floor(far * 100)} %`] });
}

function retryWords(reason: string, retryAt: number | null, now: number, locale?: string): string {
  return retryAt === null ? reason : `${reason} Trying again at ${timeWords(retryAt, now, locale)}.`;
}

/** What is announced to those who do not see the bar: short, and only what a person would want to be told. */
export function announcement({ label, reason, tone }: StatusWords, pending: number): string {
  const waiting = pending > 0 && tone !== "busy" ? ` ${count(pending, "change")} waiting.` : "";
  return `${label}.${waiting}${tone === "bad" && reason ? ` ${reason}` : ""}`;
}
