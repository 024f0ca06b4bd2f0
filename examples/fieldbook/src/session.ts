import { createClient, platformPorts } from "@landfall/client";
import { useSyncExternalStore } from "react";
import { type DeviceText, deviceText } from "./device-store.js";
import { switchedPorts } from "./network-switch.js";
import type { FieldbookClient } from "./records.js";
import { schema } from "./schema.js";

/** Somebody who is signed in on this device, with their client. */
export interface Session {
  readonly user: string;
  readonly client: FieldbookClient;
}

/** "on" while a person works offline on purpose; all tabs follow. */
export const offlineSwitch = deviceText("fieldbook:offline");
const signedInUser = deviceText("fieldbook:user");

const ports = switchedPorts(platformPorts(), {
  isOff: () => offlineSwitch.current === "on",
  subscribe: offlineSwitch.subscribe,
});

const listeners = new Set<() => void>();
let session = openSession();

function openSession(): Session | undefined {
  const user = signedInUser.current;
  if (user === null) return undefined;
  const client = createClient({
    schema,
    url: location.origin,
    name: "fieldbook",
    credentials: () => `dev:${user}`,
    ports,
  });
  return { user, client };
}

// Runs in every tab, also in those where nobody pressed anything.
signedInUser.subscribe(() => {
  // After signing out the client has closed itself; closing it again does nothing.
  void session?.client.close();
  session = openSession();
  // The next to sign in does not start on a page of the one before.
  if (!session) location.hash = "#/";
  for (const listener of [...listeners]) listener();
});

export function signIn(user: string): void {
  signedInUser.set(user);
  // What is written in the field must outlast a disk that is short of room.
  void navigator.storage?.persist?.().catch(() => undefined);
}

/** The list of sites that this device knows of a user. */
export const sitesText = (user: string): DeviceText => deviceText(`fieldbook:sites:${user}`);

/** To be called when the client has let go of the account's data. */
export function forgetUser(user: string): void {
  sitesText(user).set(null);
  signedInUser.set(null);
}

export function useSession(): Session | undefined {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => session,
  );
}

/** What a person's name becomes in a token: lower-case letters, digits and hyphens. Empty when nothing is left of it. */
export function userOf(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/\p{Mark}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40);
}

/** How a user is called on the screen. */
export function nameOf(user: string): string {
  return user.replace(
    /(^|-)([a-z])/g,
    (_match, gap: string, letter: string) => (gap && " ") + letter.toUpperCase(),
  );
}
