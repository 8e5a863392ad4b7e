import type { ReactElement, ReactNode } from 'react';

export function PageHead({
  title,
  hint,
  children,
}: {
  title: ReactNode;
  hint?: ReactNode;
  children?: ReactNode;
}): ReactElement {
  return (
    <div className="page-head">
      <div>
        <h1>{title}</h1>
        {hint && <p className="hint">{hint}</p>}
      </div>
      {children && <div className="page-actions">{children}</div>}
    </div>
  );
}
