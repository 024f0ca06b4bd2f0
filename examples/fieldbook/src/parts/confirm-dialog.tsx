import type { ReactNode } from "react";
import { Dialog } from "./dialog.js";

interface ConfirmDialogProps {
  readonly title: string;
  readonly children: ReactNode;
  /** What the button says that does it. */
  readonly action: string;
  readonly isDangerous?: boolean;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

/** Asks before something that is hard to take back. */
export function ConfirmDialog({
  title,
  children,
  action,
  isDangerous,
  onConfirm,
  onClose,
}: ConfirmDialogProps): ReactNode {
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="dialog-text">{children}</div>
      <div className="dialog-actions">
        <button type="button" data-focus onClick={onClose}>
          Cancel
        </button>
        <button type="button" className={isDangerous ? "danger" : "primary"} onClick={onConfirm}>
          {action}
        </button>
      </div>
    </Dialog>
  );
}
