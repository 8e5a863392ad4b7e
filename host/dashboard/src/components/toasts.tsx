/** Short messages on what became of a change. */
import type { ReactElement } from 'react';
import { asProblem } from '../api/problem';
import { createStore, useWhole } from '../store';
import { Icon } from './icons';

interface Toast {
  readonly number: number;
  readonly tone: 'good' | 'bad';
  readonly text: string;
  readonly detail: string | null;
}

const toasts = createStore<readonly Toast[]>([]);
let count = 0;

function show(tone: Toast['tone'], text: string, detail: string | null): void {
  count += 1;
  const number = count;
  toasts.set([...toasts.get().slice(-3), { number, tone, text, detail }]);
  // A failure must be read: it stays until it is closed, or long enough to be.
  setTimeout(() => dismiss(number), tone === 'good' ? 5000 : 20_000);
}

function dismiss(number: number): void {
  toasts.set(toasts.get().filter((toast) => toast.number !== number));
}

export const succeeded = (text: string): void => show('good', text, null);

export function failed(what: string, error: unknown): void {
  const problem = asProblem(error);
  const id = problem.requestId ? ` (request ${problem.requestId})` : '';
  const detail = problem.isMissingRoute ? 'This host does not offer it yet.' : problem.message;
  show('bad', what, `${detail}${id}`);
}

export function Toasts(): ReactElement {
  const shown = useWhole(toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((toast) => (
        <div key={toast.number} className={`toast ${toast.tone}`}>
          <Icon name={toast.tone === 'good' ? 'check' : 'warning'} />
          <div>
            <p>{toast.text}</p>
            {toast.detail && <p className="toast-detail">{toast.detail}</p>}
          </div>
          <button
            type="button"
            className="button icon-only small"
            aria-label="Dismiss"
            onClick={() => dismiss(toast.number)}
          >
            <Icon name="close" size={14} />
          </button>
        </div>
      ))}
    </div>
  );
}
