import { useEffect, useMemo, useRef } from "react";
import type { SiteSpace } from "./records.js";

/** How long typing rests before it is stored. */
const restMs = 300;

/** What was typed into a form and not saved, kept on this device until it is. */
export interface Draft {
  /** What a form that was left is to be filled with. */
  readonly restored: { readonly [field: string]: string } | undefined;
  /** To be called with whatever the form holds now. */
  keep(form: HTMLFormElement): void;
  /** The form was saved, or what it held is not wanted. */
  drop(): void;
}

/** @param name of the form, the same whenever it is opened for the same thing. */
export function useDraft(space: SiteSpace, name: string): Draft {
  const restored = useMemo(() => space.draft.get(name)?.fields, [space, name]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const write = useRef<() => void>(undefined);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      write.current?.();
    },
    [],
  );
  return {
    restored,
    keep(form) {
      clearTimeout(timer.current);
      const fields = Object.fromEntries(
        [...new FormData(form)].flatMap(([field, value]) =>
          typeof value === "string" ? [[field, value]] : [],
        ),
      );
      write.current = () => {
        write.current = undefined;
        space.draft.put(name, { fields });
      };
      timer.current = setTimeout(() => write.current?.(), restMs);
    },
    drop() {
      clearTimeout(timer.current);
      write.current = undefined;
      if (space.draft.get(name)) space.draft.delete(name);
    },
  };
}
