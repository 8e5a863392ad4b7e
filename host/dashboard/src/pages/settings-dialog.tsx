import { useId, useState, type ReactElement } from 'react';
import { change, path } from '../api/client';
import { asProblem, type Problem } from '../api/problem';
import { Button } from '../components/controls';
import { ProblemNote } from '../components/feedback';
import { Overlay } from '../components/overlay';
import { succeeded } from '../components/toasts';
import { useStream } from '../live/live';
import type { StreamState } from '../live/stream';
import { difference, type Difference } from './settings-diff';

const versionOf = (state: StreamState): number | null => state.view?.settings_version ?? null;

export function DifferenceList({ changes }: { changes: readonly Difference[] }): ReactElement {
  return (
    <ul className="diff">
      {changes.map((each) => (
        <li key={each.path}>
          <code>{each.path}</code>
          <span>
            {each.before !== null && <del>{each.before}</del>}
            {each.after !== null && <ins>{each.after}</ins>}
          </span>
        </li>
      ))}
    </ul>
  );
}

function read(text: string): { readonly settings: unknown } | { readonly wrong: string } {
  try {
    return { settings: JSON.parse(text) as unknown };
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) };
  }
}

/** All settings as a text to change, with what the change comes to before it is applied. */
export function SettingsDialog({
  account,
  settings,
  onClose,
}: {
  account: string;
  settings: unknown;
  onClose: () => void;
}): ReactElement {
  const id = useId();
  const now = useStream(versionOf);
  // The version that the text was taken from: if another holds by the time of applying, the host refuses.
  const [version] = useState(now);
  const [text, setText] = useState(() => JSON.stringify(settings, null, 2));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const result = read(text);
  const changes = 'settings' in result ? difference(settings, result.settings) : [];
  const apply = async (): Promise<void> => {
    if (!('settings' in result)) return;
    setBusy(true);
    setProblem(null);
    try {
      await change(path('accounts', account, 'settings'), { version, settings: result.settings });
      succeeded('The settings hold from now on.');
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  return (
    <Overlay
      title={`Settings of ${account}`}
      kind="drawer"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            tone="primary"
            busy={busy}
            disabled={'wrong' in result || changes.length === 0 || version === null}
            onClick={() => void apply()}
          >
            {busy ? 'Applying…' : changes.length === 1 ? 'Apply 1 change' : `Apply ${changes.length} changes`}
          </Button>
        </>
      }
    >
      <div className="stack">
        <div className="field">
          <label htmlFor={id}>All settings as JSON; lengths of time are in nanoseconds</label>
          <textarea
            id={id}
            className="code-area"
            rows={18}
            spellCheck={false}
            value={text}
            aria-invalid={'wrong' in result || undefined}
            onChange={(event) => setText(event.target.value)}
          />
        </div>
        {'wrong' in result && (
          <p className="loss" role="alert">
            {result.wrong}
          </p>
        )}
        {problem && <ProblemNote problem={problem} />}
        {changes.length > 0 ? (
          <DifferenceList changes={changes} />
        ) : (
          <p className="faint">Nothing is changed yet.</p>
        )}
      </div>
    </Overlay>
  );
}
