/** Buttons, choices and fields. */
import { useId, type ReactElement, type ReactNode } from 'react';

export type Tone = 'plain' | 'primary' | 'danger' | 'buy' | 'sell';

export function Button({
  children,
  onClick,
  tone = 'plain',
  disabled = false,
  forbidden = null,
  busy = false,
  type = 'button',
  label,
  small = false,
}: {
  children: ReactNode;
  onClick?: () => void;
  tone?: Tone;
  disabled?: boolean;
  /** Why the person may not; the button stays reachable so that the reason can be read. */
  forbidden?: string | null;
  busy?: boolean;
  type?: 'button' | 'submit';
  label?: string;
  small?: boolean;
}): ReactElement {
  const off = disabled || busy || forbidden !== null;
  return (
    <button
      type={type}
      className={`button ${tone} ${small ? 'small' : ''}`}
      aria-disabled={off}
      aria-label={label}
      aria-busy={busy}
      title={forbidden ?? label}
      onClick={(event) => {
        if (off) event.preventDefault();
        else onClick?.();
      }}
    >
      {children}
    </button>
  );
}

/** A choice of few, side by side. */
export function Segments<T extends string>({
  label,
  value,
  options,
  onChange,
  forbidden = null,
}: {
  label: string;
  value: T;
  options: readonly (readonly [T, ReactNode])[];
  onChange: (value: T) => void;
  forbidden?: string | null;
}): ReactElement {
  return (
    <div className="segments" role="group" aria-label={label} title={forbidden ?? undefined}>
      {options.map(([option, text]) => (
        <button
          key={option}
          type="button"
          aria-pressed={option === value}
          aria-disabled={forbidden !== null}
          onClick={() => {
            if (forbidden === null && option !== value) onChange(option);
          }}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

export function Select({
  label,
  value,
  options,
  onChange,
  hiddenLabel = false,
}: {
  label: string;
  value: string;
  options: readonly (readonly [string, string])[];
  onChange: (value: string) => void;
  hiddenLabel?: boolean;
}): ReactElement {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id} className={hiddenLabel ? 'visually-hidden' : ''}>
        {label}
      </label>
      <select id={id} value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

export function TextField({
  label,
  value,
  onChange,
  unit,
  hint,
  problem,
  type = 'text',
  numeric = false,
  required = false,
  placeholder,
  autoFocus = false,
  autoComplete = 'off',
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  unit?: string;
  hint?: ReactNode;
  problem?: string | null;
  type?: 'text' | 'password' | 'date';
  numeric?: boolean;
  required?: boolean;
  placeholder?: string;
  autoFocus?: boolean;
  autoComplete?: string;
}): ReactElement {
  const id = useId();
  return (
    <div className={`field ${problem ? 'wrong' : ''}`}>
      <label htmlFor={id}>{label}</label>
      <div className="input">
        <input
          id={id}
          type={type}
          value={value}
          inputMode={numeric ? 'decimal' : undefined}
          className={numeric ? 'numeric' : ''}
          required={required}
          placeholder={placeholder}
          autoFocus={autoFocus}
          autoComplete={autoComplete}
          spellCheck={false}
          aria-invalid={problem ? true : undefined}
          aria-describedby={hint || problem ? `${id}-hint` : undefined}
          onChange={(event) => onChange(event.target.value)}
        />
        {unit && <span className="unit">{unit}</span>}
      </div>
      {(problem ?? hint) && (
        <p id={`${id}-hint`} className="field-hint">
          {problem ?? hint}
        </p>
      )}
    </div>
  );
}

export type BadgeTone = 'good' | 'warn' | 'bad' | 'info' | 'quiet';

export function Badge({ tone, children }: { tone: BadgeTone; children: ReactNode }): ReactElement {
  return <span className={`badge ${tone}`}>{children}</span>;
}

const TONES: Readonly<Record<string, BadgeTone>> = {
  running: 'good',
  filled: 'good',
  closed: 'good',
  live: 'good',
  applied: 'good',
  done: 'good',
  sent: 'good',
  restarting: 'warn',
  'half-open': 'warn',
  'partially-filled': 'info',
  working: 'info',
  accepted: 'info',
  'in-flight': 'info',
  shadow: 'info',
  waiting: 'info',
  'left-out': 'warn',
  quarantined: 'bad',
  open: 'bad',
  rejected: 'bad',
  failed: 'bad',
  refused: 'bad',
};

/** Where something stands. */
export function Status({ value }: { value: string }): ReactElement {
  return <Badge tone={TONES[value] ?? 'quiet'}>{value.replace(/-/g, ' ')}</Badge>;
}
