// A small server that speaks the API's shapes, for working on the dashboard: `npm run fake`, then `npm run dev`.
// Any token of the form `role` or `role:name` logs in with that role. It keeps nothing and checks little.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, normalize } from 'node:path';
import { WebSocketServer } from 'ws';
import { Market, rfc } from './market.mjs';

const PORT = Number(process.env.PORT ?? 7374);
const BASE = '/api/v1';
const stream = randomUUID();
const sockets = new Set();
const logs = [];
const sessions = new Map();
const tokens = [
  {
    name: 'alice',
    role: 'admin',
    created: rfc(Date.now()),
    expires: null,
    revoked: null,
    last_used: rfc(Date.now()),
  },
];
const backtests = [];
const requests = [];

const TOPICS = ['account', 'orders', 'fills', 'trades', 'refusals', 'strategies', 'bars'];
const last = Object.fromEntries(TOPICS.map((topic) => [topic, 0]));
let number = 0;

function tell(topic, message) {
  number += 1;
  const text = JSON.stringify({ ...message, sequence: number, previous: last[topic] });
  last[topic] = number;
  for (const socket of sockets) socket.send(text);
}

const market = new Market((topic, event, _sequence, time) =>
  tell(topic, { kind: 'event', topic, time, event }),
);

setInterval(() => {
  const bars = market.step();
  tell('bars', { kind: 'bars', bars });
  if (Math.random() < 0.05) {
    const strategy = market.strategies[Math.floor(Math.random() * 4)].name;
    const line = {
      strategy,
      level: 'info',
      text: 'volatility 0.0021 is above the band; waiting for a breakout',
    };
    logs.unshift({ time: rfc(market.time), ...line });
    market.tell('strategies', 'log', line);
  }
}, 100);
setInterval(() => {
  const text = JSON.stringify({ kind: 'view', sequence: number, view: market.view() });
  for (const socket of sockets) socket.send(text);
}, 250);

const problem = (status, kind, title, detail) => ({
  status,
  body: { type: `urn:bulkhead:problem:${kind}`, title, status, detail, request_id: randomUUID() },
});
const missing = () => problem(404, 'unknown-route', 'There is nothing here', 'There is no such route.');
const applied = (sequence) => {
  const state = { request: requests.length + 1, state: 'applied', sequence, reason: null };
  requests.push(state);
  return { body: state };
};

function page(list, query, key = 'sequence') {
  const limit = Number(query.get('limit') ?? 100);
  const after = query.get('after');
  const start = after ? list.findIndex((row) => String(row[key]) === after) + 1 : 0;
  const items = list.slice(start, start + limit);
  const more = start + limit < list.length;
  return { body: { items, next: more ? String(items.at(-1)[key]) : null } };
}

const filtered = (list, query, keys) =>
  list.filter((row) => keys.every((key) => !query.get(key) || row[key] === query.get(key)));

function sums(trades) {
  const pnls = trades.map((trade) => Number(trade.pnl));
  const sum = (list) => list.reduce((total, value) => total + value, 0);
  const [gains, falls] = [pnls.filter((value) => value > 0), pnls.filter((value) => value < 0)];
  const some = pnls.length > 0;
  const held = trades.map((trade) => Date.parse(trade.exit_time) - Date.parse(trade.entry_time));
  return {
    trades: pnls.length,
    wins: gains.length,
    losses: falls.length,
    pnl: sum(pnls).toFixed(2),
    gross_profit: sum(gains).toFixed(2),
    gross_loss: (-sum(falls)).toFixed(2),
    fees: sum(trades.map((trade) => Number(trade.fees))).toFixed(2),
    win_rate: some ? gains.length / pnls.length : null,
    profit_factor: falls.length ? sum(gains) / -sum(falls) : null,
    expectancy: some ? (sum(pnls) / pnls.length).toFixed(2) : null,
    best: some ? Math.max(...pnls).toFixed(2) : null,
    worst: some ? Math.min(...pnls).toFixed(2) : null,
    mean_holding_seconds: some ? sum(held) / held.length / 1000 : null,
  };
}

const BORDERS = [-0.2, -0.1, -0.05, -0.03, -0.02, -0.01, -0.005, 0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1];

function analytics() {
  const { trades } = market;
  const by = (key) =>
    [...new Set(trades.map((trade) => trade[key]))].map((name) => ({
      name,
      ...sums(trades.filter((trade) => trade[key] === name)),
    }));
  const edges = [null, ...BORDERS, null];
  const returnOf = (trade) => Number(trade.pnl) / (Number(trade.quantity) * Number(trade.entry_price));
  return {
    overall: sums(trades),
    by_strategy: by('strategy'),
    by_instrument: by('instrument'),
    monthly: [{ month: '2026-01', ...sums(trades) }],
    returns: edges.slice(1).map((until, index) => {
      const from = edges[index];
      const inside = (value) => (from === null || value >= from) && (until === null || value < until);
      return { from, until, trades: trades.filter((trade) => inside(returnOf(trade))).length };
    }),
    equity: { total_return: market.equity() / 10_000 - 1, max_drawdown: 0.034 },
  };
}

const set = { fast_bars: 12 };
const PARAMETERS = [
  {
    name: 'fast_bars',
    meaning: 'Bars of the fast average',
    type: 'integer',
    default: 10,
    minimum: 1,
    maximum: 1000,
  },
  {
    name: 'threshold',
    meaning: 'Smallest move that counts, as a ratio',
    type: 'number',
    default: 0.002,
    minimum: 0,
    maximum: 10,
  },
  { name: 'confirm', meaning: 'Wait for the close of the bar', type: 'flag', default: true },
  { name: 'label', meaning: 'A text that its logs carry', type: 'text', default: 'main' },
];

const ALERTS = [
  {
    number: 2,
    kind: 'position-opened',
    severity: 'info',
    account: 'main',
    subject: 'momentum BTC-USD',
    strategy: 'momentum',
    instrument: 'BTC-USD',
    title: 'position opened',
    text: 'momentum holds 0.1 BTC-USD.',
    time: '2026-05-03T14:05:09.000000000Z',
    noticed: '2026-05-03T14:05:09.000000000Z',
    sequence: 4711,
    repeated: 0,
    repetition: false,
    deliveries: [
      { channel: 'telegram', state: 'sent', why: null },
      { channel: 'webhooks.desk', state: 'failed', why: 'it answered with 400' },
    ],
  },
];

function account(method, parts, query, body, who) {
  const [resource, id, verb, instrument, what] = parts;
  const named = (name) => market.strategies.find((strategy) => strategy.name === name);
  if (method === 'GET') {
    if (!resource) return { body: { name: 'main', account: null } };
    if (resource === 'equity') return page(market.equityHistory, query);
    if (resource === 'orders' && id) {
      const order = market.orders.find((row) => String(row.id) === id);
      if (!order) return problem(404, 'unknown', 'There is no such thing', `There is no order ${id}.`);
      const step = (status, offset, filled) => ({
        status,
        filled,
        reason: '',
        sequence: order.sequence + offset,
        time: order.created,
      });
      return {
        body: {
          order,
          fills: market.fills.filter((fill) => fill.order === order.id),
          transitions: [
            step('accepted', 0, '0'),
            step('in-flight', 1, '0'),
            step('working', 2, '0'),
            ...(order.status === 'working' ? [] : [step(order.status, 3, order.filled)]),
          ],
        },
      };
    }
    if (resource === 'orders')
      return page(filtered(market.orders, query, ['status', 'instrument', 'strategy']), query, 'id');
    if (resource === 'fills') return page(filtered(market.fills, query, ['instrument', 'strategy']), query);
    if (resource === 'trades') return page(filtered(market.trades, query, ['instrument', 'strategy']), query);
    if (resource === 'alerts') return page(ALERTS, query, 'number');
    if (resource === 'audit') return page(market.audit, query);
    if (resource === 'settings') return page(market.settings, query);
    if (resource === 'refusals') return { body: { items: market.refusals } };
    if (resource === 'analytics') return { body: analytics() };
    if (resource === 'instruments' && verb === 'bars') {
      const seconds = Number(query.get('interval_seconds') ?? 60);
      const out = [];
      for (const bar of market.bars.get(id) ?? []) {
        const time = rfc(Math.floor(Date.parse(bar.time) / 1000 / seconds) * seconds * 1000);
        const last = out.at(-1);
        if (last?.time === time)
          Object.assign(last, {
            close: bar.close,
            high: Math.max(last.high, bar.high),
            low: Math.min(last.low, bar.low),
            volume: last.volume + bar.volume,
          });
        else out.push({ ...bar, time });
      }
      return { body: { items: out.slice(-Number(query.get('limit') ?? 500)) } };
    }
    if (resource === 'instruments') return { body: [...market.prices.keys()].map((symbol) => ({ symbol })) };
    if (resource === 'strategies' && !id) return { body: market.strategies };
    if (resource === 'strategies' && verb === 'parameters') {
      return {
        body: {
          name: id,
          parameters: PARAMETERS.map((each) => ({ ...each, value: set[each.name] ?? each.default })),
        },
      };
    }
    if (resource === 'strategies' && verb === 'faults') return { body: { items: [] } };
    if (resource === 'strategies' && !verb) return { body: named(id) };
    if (resource === 'strategies' && verb === 'logs')
      return { body: { items: logs.filter((line) => line.strategy === id) } };
    return missing();
  }
  if (resource === 'halt') {
    market.halted = { reason: body.reason, actor: who.name, action: body.action };
    const sequence = market.record(who.name, 'halt', 'account', body.reason);
    market.tell('account', 'trading-state', {
      halted: true,
      reason: body.reason,
      actor: who.name,
      action: body.action,
    });
    return applied(sequence);
  }
  if (resource === 'resume') {
    market.halted = null;
    market.tell('account', 'trading-state', { halted: false, reason: '', actor: who.name });
    return applied(market.record(who.name, 'resume', 'account', ''));
  }
  if (resource === 'weights') {
    for (const [name, weight] of Object.entries(body.weights)) named(name).weight = weight;
    return applied(market.record(who.name, 'set weights', 'account', JSON.stringify(body.weights)));
  }
  if (resource === 'orders' && verb === 'cancel') {
    const order = market.orders.find((row) => String(row.id) === id);
    order.status = 'cancelled';
    return applied(market.record(who.name, 'cancel', `order ${id}`, ''));
  }
  if (resource === 'orders') {
    const strategy = named(body.strategy);
    if (body.side === 'buy' && market.halted)
      return problem(422, 'refused', 'The engine refused it', `KILL_SWITCH_ON: ${market.halted.reason}`);
    const held = market.positions.find(
      (position) => position.strategy === body.strategy && position.instrument === body.instrument,
    );
    if (body.side === 'buy')
      market.buy(
        strategy,
        body.instrument,
        Number(body.notional ?? Number(body.quantity) * market.prices.get(body.instrument)),
        'manual',
      );
    else if (held) market.close(held, 'operator');
    else
      return problem(
        422,
        'refused',
        'The engine refused it',
        `SOLVENCY_NOTHING_TO_SELL: ${body.strategy} holds no ${body.instrument}`,
      );
    return applied(market.sequence);
  }
  if (resource === 'strategies') {
    const strategy = named(id);
    if (verb === 'mode') strategy.mode = body.mode;
    else if (verb === 'release') strategy.status = 'running';
    else if (verb === 'remove') strategy.status = 'removed';
    else if (verb === 'positions' && what === 'close') {
      const held = market.positions.find(
        (position) => position.strategy === id && position.instrument === instrument,
      );
      if (held) market.close(held, 'operator');
    } else if (verb === 'positions') requests.push(body);
    else if (verb === 'parameters') Object.assign(set, body.parameters);
    else return missing();
    market.tell('strategies', 'slot-changed', { strategy: id, event: verb });
    return applied(market.record(who.name, verb, id, JSON.stringify(body)));
  }
  return missing();
}

function answer(method, parts, query, body, who) {
  const [resource, id] = parts;
  if (resource === 'accounts' && !id) return { body: [{ name: 'main' }, { name: 'second' }] };
  if (resource === 'accounts') return account(method, parts.slice(2), query, body, who);
  if (resource === 'plugin-versions') {
    const older = market.strategies.map(({ name }, index) => ({
      name,
      version: '0.9.0',
      hash: `b${index}12`.repeat(16),
      bytes: 180_004,
      first_sequence: 1,
    }));
    return {
      body: [
        ...market.strategies.map(({ name, version, hash }) => ({
          name,
          version,
          hash,
          bytes: 184_220,
          first_sequence: 812,
        })),
        ...older,
      ],
    };
  }
  if (resource === 'plugins')
    return { body: { slot: id, name: id, version: '0.9.0', hash: 'cd34'.repeat(16) } };
  if (resource === 'requests') return { body: requests[Number(id) - 1] };
  if (resource === 'tokens' && who.role !== 'admin')
    return problem(403, 'forbidden', "The token's role does not allow it", 'It needs the role admin.');
  if (resource === 'tokens' && method === 'POST') {
    tokens.push({
      name: body.name,
      role: body.role,
      created: rfc(Date.now()),
      expires: null,
      revoked: null,
      last_used: null,
    });
    return { status: 201, body: { token: tokens.at(-1), secret: `bh_${'x'.repeat(43)}` } };
  }
  if (resource === 'tokens' && method === 'DELETE') {
    const token = tokens.find((each) => each.name === id);
    token.revoked = rfc(Date.now());
    return { body: null };
  }
  if (resource === 'tokens') return { body: { items: tokens } };
  if (resource === 'backtests' && method === 'POST') {
    const job = {
      id: String(backtests.length + 1),
      state: 'running',
      progress: 0,
      created: rfc(Date.now()),
      request: body,
      summary: null,
    };
    backtests.unshift(job);
    const timer = setInterval(() => {
      job.progress = Math.min(1, job.progress + 0.1);
      if (job.progress === 1) {
        job.state = 'done';
        job.summary = {
          return: 0.123,
          max_drawdown: 0.041,
          sharpe: 1.3,
          trades: 241,
          win_rate: 0.54,
          final_equity: '11230.44',
        };
        clearInterval(timer);
      }
    }, 300);
    return { status: 202, body: job };
  }
  if (resource === 'backtests')
    return { body: id ? backtests.find((job) => job.id === id) : { items: backtests } };
  return missing();
}

async function handle(request, response) {
  const address = new URL(request.url, 'http://fake');
  const reply = (status, body, headers = {}) => {
    response.writeHead(status, {
      'content-type': status < 400 ? 'application/json' : 'application/problem+json',
      ...headers,
    });
    response.end(body === null ? '' : JSON.stringify(body));
  };
  if (!address.pathname.startsWith(BASE)) return serveFile(address.pathname, response);
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let body = {};
  try {
    body = JSON.parse(Buffer.concat(chunks).toString() || '{}');
  } catch {
    // An upload.
  }
  const parts = address.pathname
    .slice(BASE.length + 1)
    .split('/')
    .map(decodeURIComponent);
  const cookie = /bulkhead=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
  const who = sessions.get(cookie);
  if (parts[0] === 'session' && request.method === 'POST') {
    const [role, name = 'alice'] = String(body.token).split(':');
    if (!['viewer', 'trader', 'operator', 'admin'].includes(role)) {
      const wrong = problem(
        401,
        'unauthorised',
        'A valid token is needed',
        'This token is not known, has expired or was revoked.',
      );
      return reply(401, wrong.body);
    }
    const id = randomUUID();
    sessions.set(id, { name, role, expires: rfc(Date.now() + 3.6e6) });
    return reply(200, sessions.get(id), {
      'set-cookie': `bulkhead=${id}; HttpOnly; SameSite=Strict; Path=/`,
    });
  }
  if (!who) return reply(401, problem(401, 'unauthorised', 'A valid token is needed', 'Log in.').body);
  if (parts[0] === 'session') {
    if (request.method === 'DELETE') sessions.delete(cookie);
    return reply(200, who);
  }
  const { status = 200, body: answered } = answer(request.method, parts, address.searchParams, body, who);
  return reply(status, answered);
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

async function serveFile(path, response) {
  const file = new URL(`../dist${normalize(path === '/' ? '/index.html' : path)}`, import.meta.url);
  try {
    const content = await readFile(file);
    response.writeHead(200, {
      'content-type': TYPES[extname(file.pathname)] ?? 'application/octet-stream',
      'content-security-policy':
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'",
    });
    response.end(content);
  } catch {
    response.writeHead(404).end('Run `npm run build` first.');
  }
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify(problem(500, 'internal', 'The host failed to answer', String(error)).body));
  });
});

const live = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) =>
  live.handleUpgrade(request, socket, head, (connection) => {
    const hello = {
      kind: 'hello',
      stream,
      sequence: number,
      topics: TOPICS,
      last: TOPICS.map((topic) => last[topic]),
    };
    connection.send(JSON.stringify({ ...hello, resumed: false, heartbeat_seconds: 5 }));
    connection.send(JSON.stringify({ kind: 'snapshot', sequence: number, view: market.view() }));
    sockets.add(connection);
    const beat = setInterval(
      () => connection.send(JSON.stringify({ kind: 'heartbeat', sequence: number })),
      5000,
    );
    connection.on('close', () => {
      clearInterval(beat);
      sockets.delete(connection);
    });
  }),
);

server.listen(PORT, '127.0.0.1', () =>
  console.log(`http://127.0.0.1:${PORT}, tokens: viewer, trader, operator, admin`),
);
