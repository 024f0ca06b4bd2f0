import type { ChannelPort, ClientPorts } from "../ports.js";

/**
 * What the tabs of one account tell each other (DESIGN §8). Payloads are the client's own and pass
 * through as they are; a tab of another build is kept away by the channel's name.
 */
export type TabMessage =
  /** A tab has opened, or wonders whether the leader still lives; the leader answers `status`. */
  | { readonly type: "hello" }
  /** A tab has saved writes; the others show them, and the leader sends them. */
  | { readonly type: "write"; readonly space: string; readonly payload: unknown }
  /** The leader has given seqs to events: they can no longer be taken back. */
  | { readonly type: "sent"; readonly space: string; readonly payload: unknown }
  /** The leader has stored a cut; revisions of a space count from one store to the next. */
  | { readonly type: "cut"; readonly space: string; readonly revision: number; readonly payload: unknown }
  /** Something else of a space has changed in the storage (inbox, local domains). */
  | { readonly type: "changed"; readonly space: string; readonly payload: unknown }
  /** A tab asks the leader to sync now; answered by `synced` with the same id. */
  | { readonly type: "wake"; readonly id: string }
  | {
      readonly type: "synced";
      readonly id: string;
      readonly error: { readonly code: string; readonly message: string } | null;
    }
  /** How the leader's loop is. */
  | { readonly type: "status"; readonly payload: unknown };

export interface TabListener {
  message(message: TabMessage): void;
  /** A cut was missed: the space must be read from the storage again. @param payload of the cut that shows it. */
  missed(space: string, payload: unknown): void;
}

export interface TabChannel {
  post(message: TabMessage): void;
  /** What revision of a space this tab shows, after reading the storage or storing a cut itself. */
  shows(space: string, revision: number): void;
  close(): void;
}

/** Raised when the meaning of a message changes, so that tabs of an older build are not misread. */
const channelVersion = 1;

const isText = (value: unknown): value is string => typeof value === "string";

/** A message of ours, as far as its envelope goes: whatever else shares the origin may write to the channel. */
function isTabMessage(value: unknown): value is TabMessage {
  if (typeof value !== "object" || value === null) return false;
  const { type, space, revision, id } = value as { [member: string]: unknown };
  switch (type) {
    case "hello":
    case "status":
      return true;
    case "write":
    case "sent":
    case "changed":
      return isText(space);
    case "cut":
      return isText(space) && Number.isSafeInteger(revision);
    case "wake":
    case "synced":
      return isText(id);
    default:
      return false;
  }
}

/** Opens the channel of an account; one that reaches nobody where the platform has none. */
export function openTabChannel(
  ports: Pick<ClientPorts, "channel">,
  name: string,
  listener: TabListener,
): TabChannel {
  const shown = new Map<string, number>();
  const receive = (message: unknown): void => {
    if (!isTabMessage(message)) return;
    if (message.type === "cut") {
      const known = shown.get(message.space);
      // A space that this tab does not show, or a cut that it read from the storage already.
      if (known === undefined || message.revision <= known) return;
      shown.set(message.space, message.revision);
      if (message.revision > known + 1) {
        listener.missed(message.space, message.payload);
        return;
      }
    }
    listener.message(message);
  };
  const channel: ChannelPort | undefined = ports.channel?.(`landfall-${channelVersion}-${name}`, receive);
  return {
    post: (message) => channel?.post(message),
    shows: (space, revision) => void shown.set(space, revision),
    close: () => channel?.close(),
  };
}
