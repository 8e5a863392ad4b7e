/** What stands where data will be, is not, or could not be had. */
import type { ReactElement, ReactNode } from 'react';
import type { Problem } from '../api/problem';
import { Icon, type IconName } from './icons';

export function Skeleton({ lines = 3, height }: { lines?: number; height?: number }): ReactElement {
  if (height) return <div className="skeleton block" style={{ height }} aria-hidden="true" />;
  return (
    <div className="skeletons" aria-hidden="true">
      {Array.from({ length: lines }, (_, index) => (
        <div key={index} className="skeleton" style={{ width: `${92 - ((index * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

export function Empty({
  title,
  children,
  icon,
}: {
  title: string;
  children?: ReactNode;
  icon?: IconName;
}): ReactElement {
  return (
    <div className="empty">
      {icon && <Icon name={icon} size={24} />}
      <p className="empty-title">{title}</p>
      {children && <div className="empty-text">{children}</div>}
    </div>
  );
}

export function ProblemNote({ problem, retry }: { problem: Problem; retry?: () => void }): ReactElement {
  if (problem.isMissingRoute) {
    return (
      <Empty title="This host does not offer this yet" icon="warning">
        The page is newer than the host that serves it. Update the host with a build of the same version, and
        it will be here.
      </Empty>
    );
  }
  return (
    <div className="problem" role="alert">
      <Icon name="warning" />
      <div>
        <p className="problem-title">{problem.title}</p>
        <p>{problem.message}</p>
        {problem.requestId && (
          <p className="faint">
            Request <code>{problem.requestId}</code>
          </p>
        )}
      </div>
      {retry && (
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}
