import type { ClientStatus, SpaceStatus, SyncState } from "@landfall/client";
import { describe, expect, test } from "vitest";
import { announcement, statusWords } from "./status-words.js";

const now = new Date(2026, 4, 20, 15, 30).getTime();
const synced = new Date(2026, 4, 20, 14, 2).getTime();
const space: SpaceStatus = {
  state: "live",
  reason: "",
  progress: null,
  lastSyncedAt: synced,
  pending: 0,
  hasSynced: true,
  repairing: [],
  repairedRows: 0,
};

function status(change: Partial<ClientStatus> = {}, own: Partial<SpaceStatus> = {}): ClientStatus {
  return {
    state: "live",
    reason: "",
    account: "ann",
    connection: "socket",
    phase: "idle",
    lastSyncedAt: synced,
    error: null,
    clockSkewMs: 0,
    pending: { count: 0, bytes: 0, oldestAt: null },
    hasSynced: true,
    storage: { kind: "indexeddb", persistent: true, problem: null },
    spaces: { s: { ...space, ...own } },
    ...change,
  };
}

const say = (of: ClientStatus, switchedOff = false) =>
  statusWords(of, { site: "s", switchedOff, now, locale: "en-GB" });

describe("the status bar", () => {
  test("says when all is well, and since when", () => {
    expect(say(status())).toMatchObject({ tone: "good", label: "Up to date", details: ["synced 14:02"] });
  });

  test("never says that all is well while something waits", () => {
    for (const state of [
      "offline",
      "backing-off",
      "needs-auth",
      "signed-out",
      "locked",
      "live",
      "catching-up",
      "outdated",
      "revoked",
      "frozen",
    ] satisfies SyncState[]) {
      const words = say(
        status(
          { state },
          { pending: 2, ...(state === "live" || state === "catching-up" ? {} : { state: "catching-up" }) },
        ),
      );
      expect(words.tone, state).not.toBe("good");
    }
  });

  test("says what waits while offline, and who switched it off", () => {
    const offline = status({ state: "offline", reason: "No route." }, { pending: 3 });
    expect(say(offline)).toMatchObject({
      label: "Offline",
      details: ["3 changes waiting", "synced 14:02"],
      reason: "No route.",
    });
    expect(say(offline, true).reason).toMatch(/^You switched/);
  });

  test("says how far a first fetch has come", () => {
    const first = status(
      { state: "catching-up" },
      {
        state: "catching-up",
        hasSynced: false,
        lastSyncedAt: null,
        progress: { done: 30, total: 120, unit: "changes" },
      },
    );
    expect(say(first)).toMatchObject({
      tone: "busy",
      label: "Fetching the site",
      details: ["25 %"],
      progress: 0.25,
    });
  });

  test("shows this site's trouble, not that of another", () => {
    const words = say(
      status({
        state: "revoked",
        reason: "Gone.",
        spaces: { s: space, other: { ...space, state: "revoked", reason: "Gone." } },
      }),
    );
    expect(words).toMatchObject({ tone: "good", reason: "" });
  });

  test("says when it is tried again", () => {
    const error = {
      code: "internal",
      message: "The server failed.",
      retryAt: new Date(2026, 4, 20, 15, 31).getTime(),
    };
    expect(say(status({ state: "backing-off", reason: "The server failed.", error })).reason).toBe(
      "The server failed. Trying again at 15:31.",
    );
  });

  test("does not know a space that is not open yet as up to date", () => {
    expect(say(status({ spaces: {} }))).toMatchObject({ tone: "busy", details: ["never synced"] });
  });
});

test("what is announced is short, with a reason only where a person is needed", () => {
  expect(announcement(say(status()), 0)).toBe("Up to date.");
  expect(announcement(say(status({ state: "offline", reason: "No route." }, { pending: 1 })), 1)).toBe(
    "Offline. 1 change waiting.",
  );
  expect(announcement(say(status({}, { state: "revoked", reason: "You were removed." })), 0)).toMatch(
    /^No access\. You are no longer a member/,
  );
});
