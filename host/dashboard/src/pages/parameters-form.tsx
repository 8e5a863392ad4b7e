import { useState, type ReactElement } from 'react';
import { change, path } from '../api/client';
import type { Parameter } from '../api/documents';
import { Button, Segments, TextField } from '../components/controls';
import { failed, succeeded } from '../components/toasts';
import { useForbidden } from '../session';
import { kindOf, read } from './parameters';

export { parametersOf } from './parameters';

/** What it does, within which bounds, and what is usual. */
function hintOf({ meaning, minimum, maximum, default: initial }: Parameter): string {
  const bounds = [minimum != null ? `from ${minimum}` : '', maximum != null ? `to ${maximum}` : '']
    .join(' ')
    .trim();
  const limits = [bounds, `default ${String(initial)}`].filter(Boolean).join(', ');
  return meaning ? `${meaning.replace(/\.$/, '')} (${limits})` : limits;
}

const SOON = 1500;

/** A field for each parameter that the strategy describes. */
export function ParametersForm({
  account,
  name,
  parameters,
  onApplied,
}: {
  account: string;
  name: string;
  parameters: readonly Parameter[];
  onApplied: () => void;
}): ReactElement {
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>({});
  const [busy, setBusy] = useState(false);
  const forbidden = useForbidden('operator');
  const now = (parameter: Parameter): string => String(parameter.value ?? parameter.default);
  const textOf = (parameter: Parameter): string => typed[parameter.name] ?? now(parameter);
  const changed = parameters.filter((parameter) => textOf(parameter) !== now(parameter));
  const wrong = changed.some((parameter) => 'wrong' in read(parameter, textOf(parameter)));
  const apply = async (): Promise<void> => {
    setBusy(true);
    try {
      const values: Record<string, unknown> = {};
      for (const parameter of parameters) {
        const isSet = parameter.value != null && parameter.value !== parameter.default;
        const result = read(parameter, textOf(parameter));
        if ('value' in result && (isSet || changed.includes(parameter)))
          values[parameter.name] = result.value;
      }
      await change(path('accounts', account, 'strategies', name, 'parameters'), { parameters: values });
      succeeded(`${name} runs with the new parameters.`);
      setTyped({});
      onApplied();
      // The host tells what is set along with its next view of the account, which may come after this.
      setTimeout(onApplied, SOON);
    } catch (error) {
      failed('The parameters were not changed', error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (changed.length > 0 && !wrong && !busy && !forbidden) void apply();
      }}
    >
      <div className="parameters">
        {parameters.map((parameter) => {
          const text = textOf(parameter);
          const set = (next: string): void => setTyped({ ...typed, [parameter.name]: next });
          const result = read(parameter, text);
          const hint = hintOf(parameter);
          if (kindOf(parameter) === 'flag') {
            return (
              <div key={parameter.name} className="field">
                <span className="field-label">{parameter.name}</span>
                <Segments
                  label={parameter.name}
                  value={text}
                  options={[
                    ['true', 'Yes'],
                    ['false', 'No'],
                  ]}
                  onChange={set}
                />
                <p className="field-hint">{hint}</p>
              </div>
            );
          }
          return (
            <TextField
              key={parameter.name}
              label={parameter.name}
              value={text}
              onChange={set}
              numeric={kindOf(parameter) !== 'text'}
              hint={hint}
              problem={'wrong' in result ? result.wrong : null}
            />
          );
        })}
      </div>
      <div className="form-foot">
        <span className="faint">
          {changed.length === 0 ? 'Nothing changed' : `${changed.length} changed`}
        </span>
        <Button disabled={changed.length === 0} onClick={() => setTyped({})}>
          Reset
        </Button>
        <Button
          type="submit"
          tone="primary"
          busy={busy}
          disabled={changed.length === 0 || wrong}
          forbidden={forbidden}
        >
          {busy ? 'Applying…' : 'Apply parameters'}
        </Button>
      </div>
    </form>
  );
}
