import { useState, type ReactElement } from 'react';
import { change, path } from '../api/client';
import { asProblem, type Problem } from '../api/problem';
import { Button, TextField } from '../components/controls';
import { ProblemNote } from '../components/feedback';
import { Price } from '../components/figures';
import { Overlay } from '../components/overlay';
import { succeeded } from '../components/toasts';
import type { LivePosition } from '../live/messages';
import { bodyOf, typedOf, type ExitsBody, type TypedExits } from './exits';

const MOST_TIERS = 5;

function read(typed: TypedExits): { readonly body: ExitsBody } | { readonly wrong: string } {
  try {
    return { body: bodyOf(typed) };
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) };
  }
}

/** Other exits for an open position; they replace all that it has. */
export function ExitsDialog({
  account,
  position,
  onClose,
}: {
  account: string;
  position: LivePosition;
  onClose: () => void;
}): ReactElement {
  const { strategy, instrument } = position;
  const [typed, setTyped] = useState<TypedExits>(() => typedOf(position));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const result = read(typed);
  const apply = async (): Promise<void> => {
    if (!('body' in result)) return;
    setBusy(true);
    setProblem(null);
    try {
      const address = path('accounts', account, 'strategies', strategy, 'positions', instrument, 'exits');
      await change(address, result.body);
      succeeded(`${instrument} of ${strategy} has other exits.`);
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  const tiers = [...typed.tiers, { gain: '', share: '' }].slice(0, MOST_TIERS);
  const setTier = (index: number, change: Partial<{ gain: string; share: string }>): void =>
    setTyped({
      ...typed,
      tiers: tiers.map((tier, place) => (place === index ? { ...tier, ...change } : tier)),
    });
  return (
    <Overlay
      title={`Exits of ${instrument}, ${strategy}`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" busy={busy} disabled={'wrong' in result} onClick={() => void apply()}>
            {busy ? 'Applying…' : 'Replace the exits'}
          </Button>
        </>
      }
    >
      <div className="stack">
        <p className="faint">
          Entry <Price value={position.entry} />, last <Price value={position.last ?? null} />. All exits are
          replaced; what is left empty is not there, as far as the operator&rsquo;s bounds allow. Only the
          stop in force is filled in.
        </p>
        <div className="field-pairs">
          <TextField
            label="Stop loss, below entry"
            value={typed.stopLoss}
            unit="%"
            numeric
            onChange={(stopLoss) => setTyped({ ...typed, stopLoss })}
          />
          <TextField
            label="Trailing, below highest"
            value={typed.trailing}
            unit="%"
            numeric
            onChange={(trailing) => setTyped({ ...typed, trailing })}
          />
          <TextField
            label="Breakeven from a gain of"
            value={typed.breakeven}
            unit="%"
            numeric
            onChange={(breakeven) => setTyped({ ...typed, breakeven })}
          />
          <TextField
            label="Longest holding"
            value={typed.hours}
            unit="h"
            numeric
            onChange={(hours) => setTyped({ ...typed, hours })}
          />
          {tiers.map((tier, index) => [
            <TextField
              key={`gain ${index}`}
              label={`Tier ${index + 1}: at a gain of`}
              value={tier.gain}
              unit="%"
              numeric
              onChange={(gain) => setTier(index, { gain })}
            />,
            <TextField
              key={`share ${index}`}
              label="sell of what was bought"
              value={tier.share}
              unit="%"
              numeric
              onChange={(share) => setTier(index, { share })}
            />,
          ])}
        </div>
        {'wrong' in result && (
          <p className="loss" role="alert">
            {result.wrong}
          </p>
        )}
        {problem && <ProblemNote problem={problem} />}
      </div>
    </Overlay>
  );
}
