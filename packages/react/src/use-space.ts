import type { Client, SpaceHandle } from "@landfall/client";
import type { Schema } from "@landfall/schema";
import { useEffect, useState } from "react";

/** A space on its way to being open. */
export type OpeningSpace<S extends Schema> =
  | { readonly state: "opening"; readonly space: undefined; readonly error: undefined }
  | { readonly state: "open"; readonly space: SpaceHandle<S>; readonly error: undefined }
  | { readonly state: "failed"; readonly space: undefined; readonly error: Error };

const opening = { state: "opening", space: undefined, error: undefined } as const;

/**
 * Opens a space; it stays open when the component goes, ready for the next one. Nothing is opened while a
 * server renders.
 *
 * @param client given, rather than taken from the provider, because it carries the types of the schema.
 * @param id undefined while none is chosen: nothing is opened then.
 */
export function useSpace<S extends Schema>(
  client: Client<S> | undefined,
  id: string | undefined,
  options: { readonly create?: boolean } = {},
): OpeningSpace<S> {
  const [result, setResult] = useState<{
    readonly id: string;
    readonly client: Client<S>;
    readonly value: OpeningSpace<S>;
  }>();
  const { create = false } = options;
  useEffect(() => {
    if (!client || id === undefined) return undefined;
    let gone = false;
    const show = (value: OpeningSpace<S>): void => {
      if (!gone) setResult({ id, client, value });
    };
    client
      .space(id, { create })
      .open()
      .then(
        (space) => show({ state: "open", space, error: undefined }),
        (error: unknown) =>
          show({
            state: "failed",
            space: undefined,
            error: error instanceof Error ? error : new Error(String(error)),
          }),
      );
    return () => {
      gone = true;
    };
  }, [client, id, create]);
  // What an earlier space answered is not shown for the next one.
  return result && result.id === id && result.client === client ? result.value : opening;
}
