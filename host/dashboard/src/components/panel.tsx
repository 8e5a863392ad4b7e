import { useId, type ReactElement, type ReactNode } from 'react';

/** A titled part of a page. */
export function Panel({
  title,
  hint,
  actions,
  children,
  className = '',
  flush = false,
}: {
  title: string;
  hint?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
  /** The content reaches the edges, as tables do. */
  flush?: boolean;
}): ReactElement {
  const id = useId();
  return (
    <section className={`panel ${flush ? 'flush' : ''} ${className}`} aria-labelledby={id}>
      <header className="panel-head">
        <h2 id={id}>{title}</h2>
        {hint && <span className="hint">{hint}</span>}
        {actions && <div className="panel-actions">{actions}</div>}
      </header>
      <div className="panel-body">{children}</div>
    </section>
  );
}
