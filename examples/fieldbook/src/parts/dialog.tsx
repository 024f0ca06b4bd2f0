import { type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { Icon } from "./icon.js";

interface DialogProps {
  readonly title: string;
  /** Called when the person wants it gone: Escape, the cross, or a press beside it. */
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/**
 * A modal dialog that is open for as long as it is rendered. The focus goes to the element marked with
 * `data-focus`, else to the first that can have it, and back to where it was when the dialog goes.
 */
export function Dialog({ title, onClose, children }: DialogProps): ReactNode {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useLayoutEffect(() => {
    const dialog = ref.current as HTMLDialogElement;
    dialog.showModal();
    dialog.querySelector<HTMLElement>("[data-focus]")?.focus();
    return () => dialog.close();
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={titleId}
      onCancel={(event) => {
        // The browser would close it without the app's knowing.
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <button type="button" className="quiet icon-only" aria-label="Close" onClick={onClose}>
            <Icon name="cross" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
