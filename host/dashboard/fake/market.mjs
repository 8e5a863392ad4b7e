// A made-up account for working on the dashboard without a host: prices at random, four strategies that trade
// them at random. Nothing here is how the engine works; only the shapes of what is told are the same.

const MINUTE = 60_000;
const random = (low, high) => low + Math.random() * (high - low);
const pick = (list) => list[Math.floor(Math.random() * list.length)];
const money = (value) => value.toFixed(8).replace(/\.?0+$/, '');
export const rfc = (time) => new Date(time).toISOString().replace('Z', '000000Z');

const STRATEGIES = [
  ['momentum', 'live', '0.50'],
  ['scalping', 'live', '0.25'],
  ['breakout', 'live', '0.25'],
  ['sma-crossover', 'shadow', '0'],
];
const INSTRUMENTS = [
  ['BTC-USD', 64_250],
  ['ETH-USD', 3_140],
  ['SOL-USD', 148.2],
  ['DOGE-USD', 0.1632],
];
const REFUSALS = [
  ['COOLDOWN_ACTIVE', 'elapsed=12m needed=60m'],
  ['EXPOSURE_LIMIT', 'exposure=0.62 limit=0.60'],
  ['STRATEGY_SHARE', 'asked=812.20 free=440.05'],
  ['ORDER_TOO_SMALL', 'notional=4.12 minimum=10'],
];
const CAUSES = ['order', 'stop-loss', 'trailing-stop', 'take-profit', 'breakeven', 'time-stop'];

export class Market {
  time = Date.parse('2026-01-05T00:00:00Z');
  sequence = 0;
  halted = null;
  bars = new Map(INSTRUMENTS.map(([symbol]) => [symbol, []]));
  prices = new Map(INSTRUMENTS);
  positions = [];
  orders = [];
  fills = [];
  trades = [];
  equityHistory = [];
  refusals = [];
  audit = [];
  settings = [];
  peak = 10_000;
  dayStart = 10_000;
  feed = { source: 'simulator', bars: 0 };
  strategies = STRATEGIES.map(([name, mode, weight], index) => ({
    name,
    mode,
    weight,
    version: `1.${index}.0`,
    hash: `${index}f3a`.repeat(16),
    status: 'running',
    cash: 10_000 * Number(weight || 0) || 2500,
    funded: 10_000 * Number(weight) || 2500,
    realised: 0,
    fees: 0,
    fills: 0,
    refusals: 0,
    faults: 0,
    calls: 0,
    orders: 0,
    fuel: { total: 0, last: 0, most: 9e5, budget: 1e8 },
    latency: {
      timed: 1,
      p50_seconds: random(20, 40) / 1e6,
      p99_seconds: random(50, 90) / 1e6,
      longest_seconds: 1e-3,
    },
  }));

  constructor(listener) {
    this.listener = () => undefined;
    this.settings.push({
      sequence: 1,
      time: rfc(this.time),
      actor: 'configuration',
      settings: {
        risk: { max_order: '0.2', max_position: '0.3', max_exposure: '0.6', daily_loss: '0.05' },
        sizing: { per_trade: '0.02' },
      },
    });
    for (let minute = 0; minute < 3000; minute += 1) this.step();
    this.setting(
      {
        risk: {
          max_order: '0.1',
          max_position: '0.3',
          max_exposure: '0.6',
          daily_loss: '0.05',
          cooldown: '60m',
        },
        sizing: { per_trade: '0.02' },
      },
      'alice',
    );
    this.strategies[2].faults = 1;
    this.listener = listener;
  }

  setting(settings, actor) {
    this.settings.unshift({ sequence: this.sequence, time: rfc(this.time), actor, settings });
    this.record(actor, 'change settings', 'account', 'risk.max_order 0.2 \u2192 0.1');
  }

  record(actor, action, subject, detail) {
    this.sequence += 1;
    this.audit.unshift({ sequence: this.sequence, time: rfc(this.time), actor, action, subject, detail });
    return this.sequence;
  }

  tell(topic, kind, event) {
    this.sequence += 1;
    this.listener(topic, { kind, ...event }, this.sequence, rfc(this.time));
  }

  step() {
    this.time += MINUTE;
    this.sequence += 1;
    const told = [];
    for (const [symbol, before] of this.prices) {
      const close =
        before * Math.exp(random(-1, 1) * 0.0016 + Math.sin(this.time / 3e7 + symbol.length) * 0.0001);
      const bar = {
        time: rfc(this.time - MINUTE),
        open: before,
        close,
        high: Math.max(before, close) * (1 + random(0, 0.0006)),
        low: Math.min(before, close) * (1 - random(0, 0.0006)),
        volume: random(20, 120) * (1 + 400 * Math.abs(close / before - 1)),
      };
      this.prices.set(symbol, close);
      const list = this.bars.get(symbol);
      list.push(bar);
      if (list.length > 20_000) list.shift();
      told.push({ instrument: symbol, interval_seconds: 60, ...bar });
    }
    this.feed.bars += told.length;
    for (const strategy of this.strategies) {
      strategy.calls += told.length;
      if (strategy.mode !== 'off' && Math.random() < 0.03) this.trade(strategy);
    }
    for (const position of [...this.positions]) {
      const last = this.prices.get(position.instrument);
      position.peak = Math.max(position.peak, last);
      if (last < position.stop) this.close(position, 'stop-loss');
      else if (last < position.peak * 0.985) this.close(position, 'trailing-stop');
    }
    const equity = this.equity();
    this.peak = Math.max(this.peak, equity);
    if (this.time % (24 * 60 * MINUTE) === 0) this.dayStart = equity;
    if (this.time % (15 * MINUTE) === 0) {
      const cash = this.cash();
      this.equityHistory.push({
        sequence: this.sequence,
        time: rfc(this.time),
        equity: money(equity),
        cash: money(cash),
        realised: '0',
        fees: '0',
      });
    }
    return told;
  }

  live() {
    return this.strategies.filter((strategy) => strategy.mode !== 'shadow');
  }
  cash() {
    return this.live().reduce((sum, strategy) => sum + strategy.cash, 0);
  }
  capital(strategy) {
    const own = this.positions.filter((position) => position.strategy === strategy.name);
    return (
      strategy.cash +
      own.reduce((sum, position) => sum + position.quantity * this.prices.get(position.instrument), 0)
    );
  }
  equity() {
    return this.live().reduce((sum, strategy) => sum + this.capital(strategy), 0);
  }

  trade(strategy) {
    const [instrument] = pick(INSTRUMENTS);
    const held = this.positions.find(
      (position) => position.strategy === strategy.name && position.instrument === instrument,
    );
    if (held) {
      if (Math.random() < 0.35) this.close(held, pick(CAUSES));
      return;
    }
    const [code, facts] = pick(REFUSALS);
    if (this.halted || Math.random() < 0.4) {
      strategy.refusals += 1;
      const refusal = this.halted ? ['KILL_SWITCH_ON', `reason=${this.halted.reason}`] : [code, facts];
      const known = this.refusals.find(
        (row) => row.code === refusal[0] && row.strategy === strategy.name && row.instrument === instrument,
      );
      if (known)
        Object.assign(known, { count: known.count + 1, last_time: rfc(this.time), last_facts: refusal[1] });
      else
        this.refusals.push({
          code: refusal[0],
          strategy: strategy.name,
          instrument,
          count: 1,
          last_time: rfc(this.time),
          last_facts: refusal[1],
        });
      this.tell('refusals', 'refused', {
        strategy: strategy.name,
        instrument,
        side: 'buy',
        code: refusal[0],
        facts: refusal[1],
      });
      return;
    }
    this.buy(strategy, instrument, strategy.cash * random(0.1, 0.3), 'strategy');
  }

  order(strategy, instrument, side, quantity, origin, reason) {
    const price = this.prices.get(instrument);
    const id = this.orders.length + 1;
    const status = Math.random() < 0.04 ? 'working' : 'filled';
    const order = {
      id,
      sequence: this.sequence,
      strategy: strategy.name,
      instrument,
      side,
      origin,
      status,
      quantity: money(quantity),
      filled: status === 'filled' ? money(quantity) : '0',
      limit_price: Math.random() < 0.2 ? money(price) : null,
      reference_price: money(price),
      confidence: Math.round(random(0.5, 1) * 100) / 100,
      created: rfc(this.time),
      changed: rfc(this.time + 800),
      reason,
      end_reason: '',
    };
    this.orders.unshift(order);
    this.tell('orders', 'order-accepted', order);
    return order;
  }

  fill(order, strategy, quantity, price, cause) {
    const fee = quantity * price * 0.001;
    strategy.fees += fee;
    strategy.fills += 1;
    const fill = {
      order: order.id,
      sequence: this.sequence,
      strategy: strategy.name,
      instrument: order.instrument,
      side: order.side,
      quantity: money(quantity),
      price: money(price),
      fee: money(fee),
      cause,
      time: rfc(this.time),
    };
    this.fills.unshift(fill);
    this.tell('fills', 'filled', fill);
    return fee;
  }

  buy(strategy, instrument, notional, origin) {
    const price = this.prices.get(instrument) * 1.0005;
    const quantity = notional / price;
    const order = this.order(strategy, instrument, 'buy', quantity, origin, 'breakout above the 20-bar high');
    const fee = this.fill(order, strategy, quantity, price, 'order');
    strategy.cash -= notional + fee;
    this.positions.push({
      strategy: strategy.name,
      instrument,
      quantity,
      entry: price,
      cost: notional,
      peak: price,
      stop: price * 0.97,
      opened: this.time,
      fee,
    });
    return order;
  }

  close(position, cause) {
    const strategy = this.strategies.find((each) => each.name === position.strategy);
    const price = this.prices.get(position.instrument) * 0.9995;
    const order = this.order(
      strategy,
      position.instrument,
      'sell',
      position.quantity,
      cause === 'order' ? 'strategy' : 'exit',
      cause,
    );
    const fee = this.fill(order, strategy, position.quantity, price, cause);
    const pnl = position.quantity * (price - position.entry) - fee - position.fee;
    strategy.cash += position.quantity * price - fee;
    strategy.realised += pnl;
    this.positions = this.positions.filter((other) => other !== position);
    const trade = {
      sequence: this.sequence,
      strategy: strategy.name,
      instrument: position.instrument,
      side: 'buy',
      quantity: money(position.quantity),
      entry_price: money(position.entry),
      exit_price: money(price),
      entry_time: rfc(position.opened),
      exit_time: rfc(this.time),
      fees: money(fee + position.fee),
      pnl: money(pnl),
      exit_reason: cause,
    };
    this.trades.unshift(trade);
    this.tell('trades', 'trade-closed', trade);
    return order;
  }

  view() {
    const held = this.positions.filter((position) =>
      this.live().some((strategy) => strategy.name === position.strategy),
    );
    const exposed = held.reduce(
      (sum, position) => sum + position.quantity * this.prices.get(position.instrument),
      0,
    );
    return {
      time: rfc(this.time),
      equity: money(this.equity()),
      cash: money(this.cash()),
      reserved: '0',
      started_with: '10000',
      day_start_equity: money(this.dayStart),
      peak_equity: money(this.peak),
      exposure: exposed / this.equity(),
      halted: this.halted,
      breakers: ['error-rate', 'losing-streak', 'daily-loss', 'drawdown', 'stale-data'].map((name) => ({
        name,
        state: name === 'losing-streak' && this.time % 7.2e6 < 1.2e6 ? 'half-open' : 'closed',
        reason: '',
      })),
      journal: { state: 'writing', why: '', durable: this.sequence },
      feed: { ...this.feed, bars_per_second: 40 },
      working_orders: 2,
      settings_version: 2,
      strategies: this.strategies.map((strategy) => ({
        name: strategy.name,
        version: strategy.version,
        hash: strategy.hash,
        mode: strategy.mode,
        status: strategy.status,
        weight: strategy.weight,
        capital: money(this.capital(strategy)),
        funded: money(strategy.funded),
        pnl: money(this.capital(strategy) - strategy.funded),
        fills: strategy.fills,
        refusals: strategy.refusals,
        faults: strategy.faults,
        events: strategy.calls,
        realised: money(strategy.realised),
      })),
      positions: this.positions.map((position) => {
        const last = this.prices.get(position.instrument);
        return {
          strategy: position.strategy,
          instrument: position.instrument,
          quantity: money(position.quantity),
          entry: money(position.entry),
          last: money(last),
          stop: money(Math.max(position.stop, position.peak * 0.985)),
          stop_kind: position.peak * 0.985 > position.stop ? 'trailing-stop' : 'stop-loss',
          shadow: position.strategy === 'sma-crossover',
          tiers: [
            { price: money(position.entry * 1.03), share: 0.33, taken: false },
            { price: money(position.entry * 1.075), share: 0.33, taken: false },
          ],
          expires: rfc(position.opened + 14_400_000),
          cost: money(position.cost),
          pnl: money(position.quantity * (last - position.entry)),
          opened: rfc(position.opened),
        };
      }),
    };
  }
}
