import type { Receipt } from "@landfall/client";
import { useCallback, useEffect, useRef, useState } from "react";

/** How far the last call of a write has come. */
export type ActionProgress<Outcome> =
  | { readonly state: "idle" }
  /** Shown and kept on this device; the server has not answered yet. */
  | { readonly state: "pending" }
  /** The server's word, a refusal included. */
  | { readonly state: "settled"; readonly outcome: Outcome }
  /** It could not be written at all: nothing was changed. */
  | { readonly state: "failed"; readonly error: Error };

const idle = { state: "idle" } as const;
const pending = { state: "pending" } as const;

/**
 * Calls a write, an action or a method of a domain, and tells how far the last call has come.
 *
 * @param write undefined while the space is opening: a call does nothing then.
 * @returns `run` gives the receipt, or undefined when nothing was written; it never throws.
 */
export function useAction<Args extends readonly unknown[], R extends Receipt>(
  write: ((...args: Args) => R) | undefined,
): readonly [run: (...args: Args) => R | undefined, progress: ActionProgress<Awaited<R["settled"]>>] {
  const [progress, setProgress] = useState<ActionProgress<Awaited<R["settled"]>>>(idle);
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
      const show = (next: ActionProgress<Awaited<R["settled"]>>): void => {
        if (newest.current === call) setProgress(next);
      };
      try {
        const receipt = write(...args);
        show(pending);
        void receipt.settled.then((outcome) =>
          show({ state: "settled", outcome: outcome as Awaited<R["settled"]> }),
        );
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
