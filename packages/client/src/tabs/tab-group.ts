import { randomUuid } from "@landfall/protocol";
import { type AccountStorage, raiseTerm } from "../client-storage.js";
import { type Loop, type LoopStatus, SyncError } from "../loop/port.js";
import type { ClientPorts } from "../ports.js";
import type { SpaceNews } from "../space/space-news.js";
import { type TabChannel, type TabMessage, openTabChannel } from "./channel.js";
import { type Leadership, seekLead } from "./leader.js";
import { type LeaderWatch, watchLeader } from "./leader-watch.js";

/** How long a tab that could not lead leaves the lead to one of an older version. */
const overtakeAgainMs = 60_000;

type Failure = Extract<TabMessage, { type: "synced" }>["error"];

/** What a tab does when the group of its account turns to it. */
export interface TabMember {
  /** Runs while it leads. */
  readonly loop: Loop;
  /** Gives its loop what is open, as the storage has it. */
  takeSpaces(): Promise<void>;
  /** Takes from its loop what is open. */
  leaveSpaces(): void;
  /** Shows how the leader's loop is. */
  showStatus(status: LoopStatus): void;
  /** Takes in what another tab tells of a space. */
  hear(space: string, news: SpaceNews): void;
  /** The account was signed out in another tab, and its storage is gone. */
  signedOut(): void;
  /** What was a guest's has become an account's, in another tab, and its storage is gone. */
  adopted(): void;
}

/** Tells the tabs of a guest that an account has taken their data over. @param name of the guest's storage */
export function tellAdopted(ports: Pick<ClientPorts, "channel">, name: string): void {
  const channel = openTabChannel(ports, name, () => undefined);
  channel.post({ type: "adopted" });
  channel.close();
}

/**
 * The tabs that share an account's storage. One of them leads and syncs for all; it tells the others what it does, and
 * they tell it what they write (DESIGN §8).
 */
export class TabGroup {
  readonly #ports: ClientPorts;
  readonly #member: TabMember;
  readonly #schema: number;
  /** Syncs that were asked for in this tab. */
  readonly #asked = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  /** What other tabs asked of a leader that has not answered yet; whoever leads next answers. */
  readonly #owed = new Set<string>();
  #term: number | undefined;
  /** The loop of this tab runs: a term is taken before that, and what is open is read first. */
  #leading = false;
  #lead: Leadership | undefined;
  #channel: TabChannel | undefined;
  #watch: LeaderWatch | undefined;
  /** It is taking the lead from a tab of an older version. */
  #isOvertaking = false;

  /** @param schema the version of the app's schema */
  constructor(ports: ClientPorts, member: TabMember, schema: number) {
    this.#ports = ports;
    this.#member = member;
    this.#schema = schema;
  }

  /** The term under which this tab leads; undefined while another one does. */
  get term(): number | undefined {
    return this.#term;
  }

  /** Joins the tabs of an account. @param isShared whether other tabs can have its storage; if not, this tab stands alone. */
  join({ storage, name }: AccountStorage, isShared: boolean): void {
    const { timers } = this.#ports;
    const ports: Pick<ClientPorts, "timers" | "locks" | "channel"> = isShared ? this.#ports : { timers };
    this.#channel = openTabChannel(ports, name, (message) => this.#hear(message));
    this.#lead = seekLead(ports, {
      name,
      onLead: async () => {
        this.#term = await raiseTerm(storage).catch((error: unknown) => {
          // Whoever waits for a sync must hear why none can begin.
          this.#settleAll("storage", error instanceof Error ? error.message : String(error));
          throw error;
        });
        await this.#begin();
      },
      onLost: async () => {
        // One that could not begin to lead leaves it to the older one for a while.
        if (this.#term === undefined) timers.after(overtakeAgainMs, () => (this.#isOvertaking = false));
        else this.#isOvertaking = false;
        this.#term = undefined;
        this.#leading = false;
        await this.#member.loop.stop();
        this.#member.leaveSpaces();
      },
    });
    this.#watch = watchLeader(
      timers,
      () => this.#channel?.post({ type: "hello" }),
      () => this.#lead?.takeOver(),
    );
    this.#channel.post({ type: "hello" });
  }

  async #begin(): Promise<void> {
    await this.#member.takeSpaces();
    this.#member.loop.start();
    this.#leading = true;
    // What was asked for while nobody led is this tab's to do.
    for (const id of [...this.#asked.keys(), ...this.#owed]) void this.#answer(id);
    this.#owed.clear();
  }

  /** Leaves the tabs of the account; the lead is another one's to take. @param why where no sync comes about any more. */
  async leave(why?: string): Promise<void> {
    this.#watch?.heard();
    await this.#lead?.close();
    this.#channel?.close();
    this.#lead = undefined;
    this.#channel = undefined;
    if (why !== undefined) this.#settleAll("stopped", why);
  }

  /** The storage refused this tab's term: another one leads. */
  fenced(): void {
    this.#lead?.fenced();
  }

  /** Has the leader sync now. @throws SyncError saying why it has not. */
  sync(): Promise<void> {
    if (this.#leading || !this.#channel) return this.#member.loop.syncNow();
    const id = randomUuid(this.#ports.random);
    const answered = new Promise<void>((resolve, reject) => this.#asked.set(id, { resolve, reject }));
    this.#channel.post({ type: "wake", id });
    this.#watch?.expect();
    return answered;
  }

  /** Tells the others how this tab's loop is, if it leads. */
  tellStatus(payload: LoopStatus): void {
    if (this.#term !== undefined) this.#channel?.post({ type: "status", payload, schema: this.#schema });
  }

  /** Tells the others what this tab has done in a space. */
  tell(space: string, payload: SpaceNews): void {
    if (!this.#channel) return;
    const { type } = payload;
    if (type === "write" && this.#term === undefined) this.#watch?.expect();
    const isKnown = type === "write" || type === "sent" || type === "cut";
    this.#channel.post({ type: isKnown ? type : "changed", space, payload });
  }

  /** Tells the others that the account was signed out here, and its storage is gone. */
  tellSignedOut(): void {
    this.#channel?.post({ type: "left" });
  }

  #hear(message: TabMessage): void {
    if (["status", "synced", "sent", "cut"].includes(message.type)) this.#watch?.heard();
    switch (message.type) {
      case "hello":
        return this.#term === undefined ? undefined : this.tellStatus(this.#member.loop.status);
      case "status":
        return this.#term === undefined ? this.#follow(message) : undefined;
      case "wake":
        if (this.#leading) void this.#answer(message.id);
        else this.#owed.add(message.id);
        return;
      case "synced":
        this.#owed.delete(message.id);
        return this.#settle(message.id, message.error);
      case "left":
        return this.#member.signedOut();
      case "adopted":
        return this.#member.adopted();
      default:
        return this.#member.hear(message.space, message.payload as SpaceNews);
    }
  }

  #follow({ payload, schema }: Extract<TabMessage, { type: "status" }>): void {
    this.#member.showStatus(payload as LoopStatus);
    // A tab that was not loaded again since the app was updated cannot read what the server has by now, for nobody.
    if (schema >= this.#schema || this.#isOvertaking) return;
    this.#isOvertaking = true;
    this.#lead?.takeOver();
  }

  async #answer(id: string): Promise<void> {
    let error: Failure = null;
    try {
      await this.#member.loop.syncNow();
    } catch (failure) {
      // This tab leads no more: it is for the one that leads next to answer.
      if (failure instanceof SyncError && failure.code === "stopped") {
        if (!this.#asked.has(id)) this.#owed.add(id);
        return;
      }
      error =
        failure instanceof SyncError
          ? { code: failure.code, message: failure.message }
          : { code: "internal", message: String(failure) };
    }
    if (this.#asked.has(id)) this.#settle(id, error);
    else this.#channel?.post({ type: "synced", id, error });
  }

  #settle(id: string, error: Failure): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error) asked?.reject(new SyncError(error.code, error.message));
    else asked?.resolve();
  }

  #settleAll(code: string, message: string): void {
    for (const id of this.#asked.keys()) this.#settle(id, { code, message });
  }
}
