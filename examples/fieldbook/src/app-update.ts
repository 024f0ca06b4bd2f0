import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
/** A newer build that is stored and waits until the open tabs let go of theirs. */
let waiting: ServiceWorker | undefined;

function note(worker: ServiceWorker | null): void {
  // Without a page that runs under an older build this is the first install, and there is nothing to tell.
  if (!worker || !navigator.serviceWorker.controller) return;
  waiting = worker;
  for (const listener of [...listeners]) listener();
}

/** Stores the app's shell on this device, so that it starts without a network; where a browser cannot, it stays a page. */
export async function storeShell(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  try {
    const registration = await navigator.serviceWorker.register("/service-worker.js");
    note(registration.waiting);
    registration.addEventListener("updatefound", () => {
      const { installing } = registration;
      installing?.addEventListener("statechange", () => {
        if (installing.state === "installed") note(installing);
      });
    });
  } catch (error) {
    console.warn("Fieldbook could not be stored on this device; it will not start offline.", error);
  }
}

/** Goes over to the newer build. What is unsynced is in the storage and stays there. */
export function applyUpdate(): void {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  waiting?.postMessage({ type: "takeOver" });
}

export function useUpdate(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => waiting !== undefined,
  );
}
