import { useState, type ReactElement } from 'react';
import { call, path } from '../api/client';
import { asProblem, type Problem } from '../api/problem';
import { Button, TextField } from '../components/controls';
import { ProblemNote } from '../components/feedback';
import { compact } from '../components/figures';
import { Icon } from '../components/icons';
import { Overlay } from '../components/overlay';
import { succeeded } from '../components/toasts';

const NAME = /^[a-z][a-z0-9-]*$/;

/** Sends a strategy's file to the host, which checks it before it displaces anything. */
export function UploadDialog({
  name: fixed,
  onClose,
}: {
  name: string | null;
  onClose: () => void;
}): ReactElement {
  const [file, setFile] = useState<File | null>(null);
  const [name, setName] = useState(fixed ?? '');
  const [over, setOver] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const take = (chosen: File | undefined): void => {
    if (!chosen) return;
    setFile(chosen);
    setProblem(null);
    if (fixed === null)
      setName(
        chosen.name
          .replace(/\.wasm$/, '')
          .replace(/_/g, '-')
          .toLowerCase(),
      );
  };
  const wrongName = name && !NAME.test(name) ? 'Lower case letters, digits and hyphens.' : null;
  const ready = file !== null && name !== '' && !wrongName;
  const send = async (): Promise<void> => {
    if (!file) return;
    setBusy(true);
    setProblem(null);
    try {
      await call('PUT', path('plugins', name), file);
      succeeded(`${name} was uploaded; the host checks it and lets it take over.`);
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  return (
    <Overlay
      title={fixed ? `New version of ${fixed}` : 'Upload a strategy'}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" busy={busy} disabled={!ready} onClick={() => void send()}>
            {busy ? 'Uploading…' : 'Upload'}
          </Button>
        </>
      }
    >
      <div className="stack">
        <label
          className={`drop ${over ? 'over' : ''}`}
          onDragOver={(event) => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={(event) => {
            event.preventDefault();
            setOver(false);
            take(event.dataTransfer.files[0]);
          }}
        >
          <input
            type="file"
            accept=".wasm,application/wasm"
            className="visually-hidden"
            onChange={(event) => take(event.target.files?.[0])}
          />
          <Icon name="upload" size={24} />
          {file ? (
            <span>
              <b>{file.name}</b> <span className="faint">{compact(file.size)}B</span>
            </span>
          ) : (
            <span>
              Drop a <code>.wasm</code> component here, or <u>choose a file</u>
            </span>
          )}
        </label>
        {fixed === null && (
          <TextField
            label="Name of its slot"
            value={name}
            onChange={setName}
            problem={wrongName}
            hint="A strategy of this name is replaced and keeps its state; a new one starts in shadow mode with no capital."
          />
        )}
        {problem && <ProblemNote problem={problem} />}
      </div>
    </Overlay>
  );
}
