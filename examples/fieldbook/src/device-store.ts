import { useSyncExternalStore } from "react";

/** A text kept in this browser for all of its tabs. */
export interface DeviceText {
  readonly current: string | null;
  /** Null takes it away. */
  set(next: string | null): void;
  /** Calls when this tab or another has changed it. Returns what ends it. */
  subscribe(listener: () => void): () => void;
}

/** Keeps a text in localStorage, and in memory where a browser forbids that. */
export function deviceText(name: string): DeviceText {
  const listeners = new Set<() => void>();
  let inMemory: string | null = null;
  return {
    get current() {
      try {
        return localStorage.getItem(name);
      } catch {
        return inMemory;
      }
    },
    set(next) {
      inMemory = next;
      try {
        if (next === null) localStorage.removeItem(name);
        else localStorage.setItem(name, next);
      } catch {
        // It holds until this tab is closed.
      }
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      const hear = (event: StorageEvent): void => {
        // A null key says that everything was cleared.
        if (event.key === name || event.key === null) listener();
      };
      listeners.add(listener);
      addEventListener("storage", hear);
      return () => {
        listeners.delete(listener);
        removeEventListener("storage", hear);
      };
    },
  };
}

export function useDeviceText(text: DeviceText): string | null {
  return useSyncExternalStore(text.subscribe, () => text.current);
}
