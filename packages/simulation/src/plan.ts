import type { StorageTable } from "@landfall/client/storage/port";

/** The kinds of trouble that a run may have; each run has some of them. */
export const faultKinds = [
  "drop",
  "duplicate",
  "delay",
  "reset",
  "truncate",
  "status",
  "portal",
  "pokes",
  "offline",
  "partition",
  "crash",
  "serverCrash",
  "clock",
  "freeze",
  "tabs",
  "power",
  "full",
  "evict",
  "older",
  "clone",
  "serverClock",
  "restore",
  "wipe",
  "forget",
  "torn",
  "signOut",
  "schema",
  "serverDisk",
  "rush",
  "sleep",
  "access",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** What an app does, as it can be written down before anybody knows the state it will meet. */
export type Act =
  /** Sets fields of a record: makes it where it is not there. */
  | {
      readonly do: "edit";
      readonly domain: string;
      readonly key: string;
      readonly set: Readonly<Record<string, unknown>>;
      readonly unset?: readonly string[];
    }
  | {
      readonly do: "create";
      readonly domain: string;
      readonly key: string;
      readonly set: Readonly<Record<string, unknown>>;
    }
  /** Brings a deleted record back, or makes one that was never there. */
  | {
      readonly do: "restore";
      readonly domain: string;
      readonly key: string;
      readonly set: Readonly<Record<string, unknown>>;
    }
  /** An update under the condition that nobody has changed the record since. */
  | {
      readonly do: "expect";
      readonly domain: string;
      readonly key: string;
      readonly set: Readonly<Record<string, unknown>>;
    }
  | { readonly do: "increment"; readonly key: string; readonly by: number }
  | { readonly do: "mark"; readonly key: string; readonly add: boolean; readonly marks: readonly string[] }
  /** Deletes, or makes what is not there. */
  | {
      readonly do: "delete";
      readonly domain: string;
      readonly key: string;
      readonly otherwise?: Readonly<Record<string, unknown>>;
    }
  | { readonly do: "deleteMany"; readonly domain: string; readonly keys: readonly string[] }
  /** Counts and leaves a name, atomically: shows whether it took effect not at all, once or more often. */
  | { readonly do: "probe"; readonly mark: string }
  /** Writes the same token into records of two domains, atomically. */
  | { readonly do: "pair"; readonly token: string }
  | { readonly do: "pay"; readonly from: string; readonly to: string; readonly coins: number }
  /** Brings a deleted note back, by an action. */
  | { readonly do: "revive"; readonly key: string; readonly title: string }
  /** Deals with the item of the inbox at that place, counted round. */
  | {
      readonly do: "inbox";
      readonly at: number;
      readonly choice: "retry" | "writeAgain" | "keepCopy" | "dismiss";
    }
  /** Writes what never leaves the device. */
  | { readonly do: "draft"; readonly key: string; readonly text: string }
  | { readonly do: "sync" };

interface Timed {
  readonly atMs: number;
}

/** One tab of a device acts. */
export interface Operation extends Timed {
  readonly type: "act";
  readonly device: number;
  readonly tab: number;
  readonly space: number;
  readonly act: Act;
  /** It is left out where that many writes have been made before. */
  readonly unlessMade?: number;
}

interface OnDevice extends Timed {
  readonly device: number;
}

/** Trouble that begins at a moment; what has a length ends by itself. */
export type Trouble =
  | (OnDevice & { readonly type: "offline"; readonly forMs: number })
  | (OnDevice & {
      readonly type: "partition";
      readonly to: boolean;
      readonly from: boolean;
      readonly forMs: number;
    })
  /** The tab dies at its next storage call but so many, before or after what it does, and starts again. */
  | (OnDevice & {
      readonly type: "crash";
      readonly tab: number;
      readonly inCalls: number;
      readonly after: boolean;
      readonly downMs: number;
    })
  | (Timed & {
      readonly type: "serverCrash";
      readonly inCalls: number;
      readonly after: boolean;
      readonly downMs: number;
    })
  | (OnDevice & { readonly type: "clock"; readonly offsetMs: number; readonly stop: boolean })
  | (OnDevice & { readonly type: "freeze"; readonly tab: number; readonly forMs: number })
  /** The tab that asks the server next freezes when its request has gone, long enough for another one to lead. */
  | (OnDevice & { readonly type: "sleep"; readonly forMs: number })
  /** A tab is closed by the person, and opened again. */
  | (OnDevice & { readonly type: "closeTab"; readonly tab: number; readonly forMs: number })
  /**
   * The machine goes off: of what the disk had not confirmed, each write is there with that probability. A disk that
   * confirms before it has written (relaxed durability) loses the last of what it had confirmed too, in its order.
   */
  | (OnDevice & {
      readonly type: "power";
      readonly keeps: number;
      readonly unwrittenMs: number;
      readonly downMs: number;
    })
  /** Somebody signs out in the only tab that is left, and after a while in again. */
  | (OnDevice & {
      readonly type: "signOut";
      readonly unsynced: "block" | "export" | "discard";
      /** So long after asking they write once more; at once before it where it is 0. */
      readonly writesMs?: number;
      readonly downMs: number;
    })
  /** A device's app, or the server, becomes the next version, with its schema. Of several tabs one may stay open as it is. */
  | (OnDevice & { readonly type: "appUpgrade"; readonly downMs: number; readonly left?: number })
  | (Timed & { readonly type: "serverUpgrade"; readonly downMs: number })
  /** The disk cannot be opened for so long, as where its file is torn; the app starts meanwhile. */
  | (OnDevice & { readonly type: "torn"; readonly forMs: number; readonly downMs: number })
  /** The disk takes nothing more. */
  | (OnDevice & { readonly type: "full"; readonly forMs: number })
  /** The browser throws away what it keeps for the app, or some of the tables; the notes beside it too, or not. */
  | (OnDevice & {
      readonly type: "evict";
      readonly tables?: readonly StorageTable[];
      readonly notes: boolean;
      /** For so long before that, what it sends arrives and no answer comes back. */
      readonly deafMs: number;
      readonly downMs: number;
    })
  /** What is on the disk now is put back over what is there later. */
  | (OnDevice & { readonly type: "older"; readonly forMs: number; readonly downMs: number })
  /** The device is copied, and both go on. */
  | (OnDevice & { readonly type: "clone"; readonly copy: number; readonly downMs: number })
  | (Timed & { readonly type: "serverClock"; readonly offsetMs: number })
  /**
   * The server's disk stalls for so long, so that requests gather; then one of its next calls finds no room, which takes
   * all that is under way with it, or meets a bad block.
   */
  | (Timed & {
      readonly type: "serverDisk";
      readonly how: "full" | "broken";
      readonly stallMs: number;
      readonly inCalls: number;
    })
  /** The server goes back to what it has now, as a new generation. */
  | (Timed & { readonly type: "restore"; readonly forMs: number; readonly downMs: number })
  /** The owner wipes a space. */
  | (Timed & { readonly type: "wipe"; readonly space: number })
  /** Whoever is not an owner may only read for so long. */
  | (Timed & { readonly type: "access"; readonly space: number; readonly forMs: number });

export type Step = Operation | Trouble;

/** Which kind of trouble a step belongs to, where the names differ. */
export const kindOfTrouble = ({ type }: Trouble): FaultKind => {
  if (type === "closeTab") return "tabs";
  return type === "appUpgrade" || type === "serverUpgrade" ? "schema" : type;
};

export interface DevicePlan {
  /** The device's place in names and streams, which stays when others are taken out of a plan. */
  readonly number: number;
  readonly user: string;
  readonly tabs: number;
  /** Whether the platform has sockets. */
  readonly socket: boolean;
}

/** A run, written down: the same plan is the same run. */
export interface Plan {
  readonly seed: number;
  /** The kinds of trouble, each with how much of it. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly devices: readonly DevicePlan[];
  readonly spaces: readonly string[];
  readonly limits: {
    readonly maxPageRows: number;
    readonly maxEventsPerRequest: number;
    readonly maxPageBytes: number;
  };
  /** How soon the server forgets deletes and outcomes; never within the run where it is absent. */
  readonly retention?: {
    readonly tombstonesMs: number;
    readonly outcomesMs: number;
    readonly everyMs: number;
  };
  /** How likely a call of the server's disk takes its time. */
  readonly serverSlowness: number;
  /** In order of time. */
  readonly steps: readonly Step[];
}

export const isOperation = (step: Step): step is Operation => step.type === "act";
