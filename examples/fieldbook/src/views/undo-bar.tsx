import { type ReactNode, useEffect, useRef, useState } from "react";
import { Icon } from "../parts/icon.js";

/** Something that was deleted and can be brought back. */
export interface Undo {
  readonly name: string;
  restore(): void;
}

/**
 * Says what was deleted, and brings it back. It stays until somebody has decided, or goes elsewhere, and takes the
 * focus, which went with what was deleted.
 */
export function UndoBar({
  undo,
  onDone,
}: {
  readonly undo: Undo | undefined;
  readonly onDone: () => void;
}): ReactNode {
  const button = useRef<HTMLButtonElement>(null);
  const [refused, setRefused] = useState<{ readonly undo: Undo; readonly why: string }>();
  useEffect(() => {
    if (undo) button.current?.focus();
  }, [undo]);
  const done = (): void => {
    onDone();
    document.querySelector<HTMLElement>("#main h2")?.focus({ preventScroll: true });
  };
  return (
    <div className="undo" role="status">
      {undo && (
        <>
          <span className="undo-text">
            {refused?.undo === undo
              ? `“${undo.name}” could not be brought back. ${refused.why}`
              : `Deleted “${undo.name}”.`}
          </span>
          <button
            ref={button}
            type="button"
            className="small-button"
            onClick={() => {
              try {
                undo.restore();
              } catch (error) {
                // Somebody else may have been quicker.
                return setRefused({ undo, why: error instanceof Error ? error.message : String(error) });
              }
              done();
            }}
          >
            Undo
          </button>
          <button type="button" className="quiet icon-only" aria-label="Leave it deleted" onClick={done}>
            <Icon name="cross" />
          </button>
        </>
      )}
    </div>
  );
}
