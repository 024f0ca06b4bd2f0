import type { Receipt, SettledOutcome } from "@landfall/client";
import { useCallback, useEffect, useRef, useState } from "react";

/** How far the last call of an action has come. */
export type ActionProgress =
  | { readonly state: "idle" }
  | { readonly state: "pending" }
  | { readonly state: "settled"; readonly outcome: SettledOutcome }
  | { readonly state: "failed"; readonly error: Error };

/** Calls a write, an action or a method of a domain, and tells how far it has come. */
export function useAction<Args extends readonly unknown[], R extends Receipt>(write: ((...args: Args) => R) | undefined): readonly [run: (...args: Args) => R | undefined, progress: ActionProgress] {
  const [progress, setProgress] = useState<ActionProgress>({ state: "idle" });
  /** Counts the calls, so that an old one does not speak for a newer. */
  const newest = useRef(0);
  useEffect(
    () => () => {
      newest.current += 1;
    },
    [],
  );
  const run = useCallback(
    (...args: Args): R | undefined => {
      if (!write) return undefined;
      const call = (newest.current += 1);
      const show = (next: ActionProgress): void => {
        if (newest.current === call) setProgress(next);
      };
      try {
        const receipt = write(...args);
        show({ state: "pending" });
        void receipt.settled.then((outcome) => show({ state: "settled", outcome }));
        return receipt;
      } catch (error) {
        show({ state: "failed", error: error instanceof Error ? error : new Error(String(error)) });
        return undefined;
      }
    },
    [write],
  );
  return [run, progress];
}
