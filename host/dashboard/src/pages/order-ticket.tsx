import { useState, type ReactElement } from 'react';
import { change, path } from '../api/client';
import { asProblem, type Problem } from '../api/problem';
import { Button, Segments, Select, TextField } from '../components/controls';
import { ProblemNote } from '../components/feedback';
import { CURRENCY } from '../components/figures';
import { succeeded } from '../components/toasts';
import * as decimal from '../format/decimal';
import { useView } from '../live/live';
import { useForbidden } from '../session';

type AmountKind = 'notional' | 'quantity' | 'all';

/** What is wrong with an amount, or null. */
function wrongAmount(text: string): string | null {
  const value = decimal.parse(text);
  if (!value) return text ? 'This is not a number.' : null;
  return decimal.sign(value) > 0 ? null : 'It must be more than zero.';
}

/** Orders by hand, in the books of a strategy and by the same path as every other order. */
export function OrderTicket({ account, instrument }: { account: string; instrument: string }): ReactElement {
  const view = useView();
  const strategies = view?.strategies.filter(({ mode }) => mode !== 'shadow') ?? [];
  const [chosen, setChosen] = useState<string | null>(null);
  const [side, setSide] = useState<'buy' | 'sell'>('buy');
  const [kind, setKind] = useState<AmountKind>('notional');
  const [amount, setAmount] = useState('');
  const [limit, setLimit] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const forbidden = useForbidden('trader');
  const strategy = chosen ?? strategies[0]?.name ?? '';
  const held = view?.positions.find((each) => each.instrument === instrument && each.strategy === strategy);
  const all = side === 'sell' && kind === 'all';
  const amountProblem = all ? null : wrongAmount(amount);
  const limitProblem = wrongAmount(limit);
  const ready = strategy !== '' && (all || amount !== '') && !amountProblem && !limitProblem;

  const send = async (action: string, address: string, body?: unknown): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await change(address, body);
      succeeded(`${action}: passed the gate.`);
      setAmount('');
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  const amountOf = (): Record<string, string | boolean> => {
    if (all) return { all: true };
    return kind === 'quantity' ? { quantity: amount } : { notional: amount };
  };
  const unit = kind === 'quantity' ? (instrument.split(/[-/]/)[0] ?? '') : CURRENCY;
  const words = `${side === 'buy' ? 'Buy' : 'Sell'} ${all ? 'all' : amount || '…'} ${all ? '' : `${unit} of `}${instrument}`;

  return (
    <form
      className="stack ticket"
      onSubmit={(event) => {
        event.preventDefault();
        if (!ready || busy || forbidden) return;
        const body = { strategy, instrument, side, ...amountOf(), ...(limit ? { limit_price: limit } : {}) };
        void send(words, path('accounts', account, 'orders'), body);
      }}
    >
      <Segments
        label="Side"
        value={side}
        options={[
          ['buy', 'Buy'],
          ['sell', 'Sell'],
        ]}
        onChange={(next) => {
          setSide(next);
          if (next === 'buy' && kind === 'all') setKind('notional');
        }}
      />
      <Select
        label="In the books of"
        value={strategy}
        options={strategies.map(({ name }) => [name, name] as const)}
        onChange={setChosen}
      />
      <Segments<AmountKind>
        label="Amount as"
        value={kind}
        options={[
          ['notional', CURRENCY],
          ['quantity', 'Quantity'],
          ...(side === 'sell' ? ([['all', 'All']] as const) : []),
        ]}
        onChange={setKind}
      />
      {!all && (
        <TextField
          label="Amount"
          value={amount}
          onChange={setAmount}
          unit={unit}
          numeric
          placeholder="0.00"
          problem={amountProblem}
        />
      )}
      <TextField
        label="Limit price"
        value={limit}
        onChange={setLimit}
        unit={CURRENCY}
        numeric
        placeholder="market"
        problem={limitProblem}
      />
      <Button
        type="submit"
        tone={side === 'buy' ? 'buy' : 'sell'}
        busy={busy}
        disabled={!ready}
        forbidden={forbidden}
      >
        {busy ? 'Asking the gate…' : words}
      </Button>
      {held && (
        <Button
          busy={busy}
          forbidden={forbidden}
          onClick={() =>
            void send(
              `Close ${instrument} of ${strategy}`,
              path('accounts', account, 'strategies', strategy, 'positions', instrument, 'close'),
            )
          }
        >
          Close the position of {strategy}
        </Button>
      )}
      {problem && <ProblemNote problem={problem} />}
      <p className="field-hint">
        {forbidden ?? 'The order passes the same risk gate as a strategy\u2019s and is marked manual.'}
      </p>
    </form>
  );
}
