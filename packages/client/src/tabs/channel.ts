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
  /** The leader has stored a cut. */
  | { readonly type: "cut"; readonly space: string; readonly payload: unknown }
  /** Something else of a space has changed in the storage (inbox, local domains). */
  | { readonly type: "changed"; readonly space: string; readonly payload: unknown }
  /** A tab asks the leader to sync now; answered by `synced` with the same id. */
  | { readonly type: "wake"; readonly id: string }
  | {
      readonly type: "synced";
      readonly id: string;
      readonly error: { readonly code: string; readonly message: string } | null;
    }
  /** The account was signed out, and its storage is gone. */
  | { readonly type: "left" }
  /** An account has taken over what a guest had, and the guest's storage is gone. */
  | { readonly type: "adopted" }
  /** How the leader's loop is, and the version of the app's schema that it leads with. */
  | { readonly type: "status"; readonly payload: unknown; readonly schema: number };

export interface TabChannel {
  post(message: TabMessage): void;
  close(): void;
}

/** Raised when the meaning of a message changes, so that tabs of an older build are not misread. */
const channelVersion = 1;

const isText = (value: unknown): value is string => typeof value === "string";

/** A message of ours, as far as its envelope goes: whatever else shares the origin may write to the channel. */
function isTabMessage(value: unknown): value is TabMessage {
  if (typeof value !== "object" || value === null) return false;
  const { type, space, id, schema } = value as { [member: string]: unknown };
  switch (type) {
    case "hello":
    case "left":
    case "adopted":
      return true;
    case "status":
      return typeof schema === "number";
    case "write":
    case "sent":
    case "cut":
    case "changed":
      return isText(space);
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
  hear: (message: TabMessage) => void,
): TabChannel {
  const channel: ChannelPort | undefined = ports.channel?.(
    `landfall-${channelVersion}-${name}`,
    (message) => {
      if (isTabMessage(message)) hear(message);
    },
  );
  return {
    post: (message) => channel?.post(message),
    close: () => channel?.close(),
  };
}
