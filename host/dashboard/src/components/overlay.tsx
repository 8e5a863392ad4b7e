/** Dialogs and drawers: the browser's own, which hold the focus and close with Escape. */
import { useEffect, useId, useRef, type ReactElement, type ReactNode } from 'react';
import { createPortal } from 'react-dom';
import { Icon } from './icons';

export function Overlay({
  title,
  onClose,
  children,
  kind = 'dialog',
  footer,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
  kind?: 'dialog' | 'drawer';
  footer?: ReactNode;
}): ReactElement {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  // At the end of the document, so that it looks the same wherever it is opened from.
  return createPortal(
    <dialog
      ref={element}
      className={kind}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === element.current) onClose();
      }}
    >
      <div className="overlay">
        <header className="overlay-head">
          <h2 id={id}>{title}</h2>
          <button type="button" className="button icon-only" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        <div className="overlay-body">{children}</div>
        {footer && <footer className="overlay-foot">{footer}</footer>}
      </div>
    </dialog>,
    document.body,
  );
}
