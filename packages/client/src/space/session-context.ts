import type {
  ClockPort,
  HybridClock,
  ReconcileAnswer,
  ReconcileRequest,
  Sha256,
  TimerPort,
} from "@landfall/protocol";
import type { PendingEvent } from "../replica/pending-event.js";
import type { Present } from "../replica/present.js";
import type { ReplicaRules } from "../replica/rules.js";
import type { ClientStorage, StorageChange, StorageError } from "../storage/port.js";
import type { InboxItem } from "./inbox-item.js";
import type { LocalRecord, MigratedLocal } from "./local-records.js";
import type { SpaceNews } from "./space-news.js";
import type { SpaceSession } from "./space-session.js";

/** What a session needs of the client around it. */
export interface SessionContext {
  readonly storage: ClientStorage;
  readonly rules: ReplicaRules;
  /** Stamps of this writer session; shared by all spaces of the client. */
  readonly stamps: HybridClock;
  readonly wall: ClockPort;
  readonly timers: TimerPort;
  readonly hash: Sha256;
  readonly schemaVersion: number | undefined;
  /** Brings an event that was made under an older schema to this one (DESIGN §5.2). */
  migrate(event: PendingEvent): PendingEvent;
  /** The name of a field that an event's outcome has under the version it was sent under; undefined where it is gone. */
  fieldNow(event: PendingEvent, domain: string, field: string): string | undefined;
  /** Brings what an item of the inbox says of a record to this schema. */
  migrateItem(item: InboxItem): InboxItem;
  /** Brings records of local domains to this schema. */
  migrateLocal(rows: readonly LocalRecord[]): MigratedLocal;
  /** How rows of a schema version show under this one; of one that nobody has said, as they are. */
  presenter(schema: number | undefined): Present;
  /** Domains that sync, of this schema and account's choice. */
  readonly domains: readonly string[];
  readonly localDomains: readonly string[];
  device(): string;
  /** The change that keeps stamps from being issued again after a crash, when one is due. */
  clockChange(): StorageChange | undefined;
  /** This installation was cloned: takes a new device id and renumbers the outboxes of all spaces. */
  forkDevice(session: SpaceSession): Promise<void>;
  /** Creates the space at the server. @returns why it cannot be had, or undefined. */
  createSpace(space: string): Promise<string | undefined>;
  /** One round of a reconciliation with the server. @throws RemoteError or SyncError */
  reconcile(request: ReconcileRequest): Promise<ReconcileAnswer>;
  /** The term that this tab leads under; undefined when it does not. */
  term(): number | undefined;
  /** The storage refused that term: another tab leads. */
  fenced(): void;
  /** Why memory stands in for a storage that could not be opened, where it does. */
  refusal(): StorageError | undefined;
  /** Whether somebody signs out just now, or has. */
  leaving(): boolean;
  /** The storage took what it was given. */
  stored(): void;
  /** It did not, which the status says. @returns whether for want of room alone: then the server can still keep it. */
  unstored(error: unknown): boolean;
  /** Tells the other tabs of this account. */
  publish(space: string, news: SpaceNews): void;
  /** There is something to send. */
  wake(): void;
  /** The status of the space is another. */
  changed(): void;
  /** Something that a person who looks after the app should know. */
  report(code: string, message: string): void;
}
