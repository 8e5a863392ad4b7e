import { useState, type ReactElement } from 'react';
import { change, path } from '../api/client';
import { Button, Status } from '../components/controls';
import { Gain, Money } from '../components/figures';
import { Icon } from '../components/icons';
import { Panel } from '../components/panel';
import { StrategyTag, useStrategyColour } from '../components/strategy-tag';
import { failed, succeeded } from '../components/toasts';
import type { LiveView } from '../live/messages';
import { useForbidden } from '../session';
import { difference } from '../shell/shell';
import { fromTenths, shareOf, tenthsOfPercent, toTenths, WHOLE } from './weights';

const percent = (tenths: number): string => (tenths / 10).toFixed(1);

/** All weights together: move them, see what it means, apply once. */
export function WeightsPanel({ account, view }: { account: string; view: LiveView }): ReactElement {
  const [draft, setDraft] = useState<Readonly<Record<string, number>>>({});
  const [busy, setBusy] = useState(false);
  const forbidden = useForbidden('operator');
  const colour = useStrategyColour();
  const strategies = view.strategies.filter(({ status }) => status !== 'removed');
  const weightOf = (name: string, weight: string): number => draft[name] ?? toTenths(weight);
  const sum = strategies.reduce((total, { name, weight }) => total + weightOf(name, weight), 0);
  const changed = strategies.filter(({ name, weight }) => weightOf(name, weight) !== toTenths(weight));
  const over = sum > WHOLE;

  const apply = async (): Promise<void> => {
    setBusy(true);
    try {
      const weights = Object.fromEntries(
        changed.map(({ name, weight }) => [name, fromTenths(weightOf(name, weight))]),
      );
      await change(path('accounts', account, 'weights'), { weights });
      succeeded('The weights are applied; capital moves as positions allow.');
      setDraft({});
    } catch (error) {
      failed('The weights were not changed', error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Panel title="Capital" hint="shares of the account’s equity" className="weights-panel">
      <div className="weights">
        <div className="weights-row weights-head" aria-hidden="true">
          <span>Strategy</span>
          <span>Weight</span>
          <span />
          <span className="numeric">Capital now</span>
          <span className="numeric">With the new weight</span>
          <span className="numeric">Change</span>
        </div>
        {strategies.map((strategy) => {
          const { name, weight, mode } = strategy;
          const tenths = weightOf(name, weight);
          const moved = tenths !== toTenths(weight);
          const target = moved ? shareOf(view.equity, tenths) : null;
          return (
            <div key={name} className={`weights-row ${moved ? 'moved' : ''}`}>
              <span className="weights-name">
                <StrategyTag name={name} />
                {mode !== 'live' && <Status value={mode} />}
              </span>
              <input
                type="range"
                min={0}
                max={WHOLE}
                step={5}
                value={tenths}
                style={{ '--colour': colour(name), '--share': `${tenths / 10}%` } as React.CSSProperties}
                aria-label={`Weight of ${name}`}
                aria-valuetext={`${percent(tenths)} %`}
                disabled={forbidden !== null}
                title={forbidden ?? undefined}
                onChange={(event) => setDraft({ ...draft, [name]: Number(event.target.value) })}
              />
              <WeightField
                name={name}
                tenths={tenths}
                disabled={forbidden !== null}
                onChange={(next) => setDraft({ ...draft, [name]: next })}
              />
              <span className="numeric" data-title="Capital now">
                <Money value={strategy.capital} />
              </span>
              <span className="numeric" data-title="New">
                {target === null ? <span className="none">–</span> : <Money value={target} />}
              </span>
              <span className="numeric" data-title="Change">
                {target === null ? (
                  <span className="none">–</span>
                ) : (
                  <Gain value={difference(target, strategy.capital)} />
                )}
              </span>
            </div>
          );
        })}
      </div>
      <div className={`weights-foot ${over ? 'over' : ''}`}>
        <div className="stacked" aria-hidden="true">
          {strategies.map(({ name, weight }) => (
            <span
              key={name}
              style={{
                width: `${weightOf(name, weight) / Math.max(10, sum / 100)}%`,
                background: colour(name),
              }}
            />
          ))}
        </div>
        <p className="weights-sum" role="status">
          <span className="number">{percent(sum)}&thinsp;%</span> allocated
          {over ? (
            <b className="loss">
              {' '}
              <Icon name="warning" size={14} /> {percent(sum - WHOLE)} % too much
            </b>
          ) : (
            <span className="faint">, {percent(WHOLE - sum)} % kept back</span>
          )}
        </p>
        <div className="weights-actions">
          <Button disabled={changed.length === 0 || busy} onClick={() => setDraft({})}>
            Reset
          </Button>
          <Button
            tone="primary"
            busy={busy}
            disabled={changed.length === 0 || over}
            forbidden={forbidden}
            onClick={() => void apply()}
          >
            {busy ? 'Applying…' : 'Apply weights'}
          </Button>
        </div>
      </div>
    </Panel>
  );
}

/** The weight as a number that can be typed. */
function WeightField({
  name,
  tenths,
  disabled,
  onChange,
}: {
  name: string;
  tenths: number;
  disabled: boolean;
  onChange: (tenths: number) => void;
}): ReactElement {
  const [typed, setTyped] = useState<string | null>(null);
  const wrong = typed !== null && tenthsOfPercent(typed) === null;
  return (
    <span className="input weight-field">
      <input
        className="numeric"
        inputMode="decimal"
        aria-label={`Weight of ${name} in percent`}
        aria-invalid={wrong || undefined}
        disabled={disabled}
        value={typed ?? percent(tenths)}
        onChange={(event) => {
          setTyped(event.target.value);
          const next = tenthsOfPercent(event.target.value);
          if (next !== null) onChange(next);
        }}
        onBlur={() => setTyped(null)}
      />
      <span className="unit">%</span>
    </span>
  );
}
