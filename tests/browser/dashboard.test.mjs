// The dashboard of a real host in a real browser: what a person sees and does on every page. `cargo xtask test
// dashboard` builds what it needs and runs it; screenshots are kept in $BULKHEAD_SCREENSHOTS.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { chromium } from 'playwright-core';
import { lowContrast } from './contrast.mjs';
import { Host } from './host.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Every page, and what shows that it has data. */
const PAGES = {
  '': 'section[aria-label], .equity-chart canvas',
  market: '.candle-chart canvas',
  strategies: '.strategy-card',
  'strategies/momentum': '.parameters .field',
  positions: 'main',
  orders: 'tbody tr',
  trades: 'tbody tr',
  refusals: '.bars.codes li',
  analytics: '.histogram-count:not(:empty)',
  backtest: 'h1',
  settings: '.code-pairs div',
  alerts: 'tbody tr',
  audit: 'tbody tr',
  tokens: 'tbody tr',
};

const screenshots = process.env.BULKHEAD_SCREENSHOTS ?? join(tmpdir(), 'bulkhead-screenshots');
const PATIENCE = 30_000;

let host, browser, profile, admin;
/** What the pages complained of; a test that ends with any has failed. */
let complaints = [];

before(async () => {
  await mkdir(screenshots, { recursive: true });
  host = await Host.start();
  admin = await host.token('admin');
  profile = await mkdtemp(join(tmpdir(), 'bulkhead-chromium-'));
  browser = await chromium.launch({
    executablePath: process.env.BULKHEAD_CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
    env: { ...process.env, HOME: profile },
  });
});

after(async () => {
  await browser?.close();
  await host?.stop();
  if (profile) await rm(profile, { recursive: true, force: true });
});

beforeEach(() => {
  complaints = [];
});

/** A page in a browser profile of its own, at the login. */
async function open({ theme = 'dark', width = 1440, height = 900 } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`));
  page.on('console', (message) => {
    // Asking who is logged in is answered with 401 before the login.
    const expected = message.text().includes('status of 401') && message.location().url.endsWith('/session');
    if (message.type() === 'error' && !expected) complaints.push(`console: ${message.text()}`);
  });
  await page.goto(host.url);
  await page.getByLabel('Access token').waitFor();
  return page;
}

async function logIn(page, token) {
  await page.getByLabel('Access token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.locator('.connection.live').waitFor();
}

/** A page that is logged in, at `path`. */
async function opened(path, options = {}) {
  const page = await open(options);
  await logIn(page, options.token ?? admin);
  await show(page, path);
  return page;
}

async function show(page, path) {
  await page.evaluate((hash) => (location.hash = hash), `#/${path}`);
}

async function keep(page, name, fullPage = true) {
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage });
}

/** Waits until `look` gives something true. */
async function until(look, what) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) assert.fail(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const noComplaints = () => assert.deepEqual(complaints, []);

/** How many rows the API has of a list, so that a test waits for the market rather than for the page. */
async function rows(page, list) {
  const answer = await page.request.get(`${host.url}/api/v1/accounts/main/${list}`);
  assert.equal(answer.status(), 200, await answer.text());
  return (await answer.json()).items.length;
}

/** Waits until the simulated market has given every page something to show. */
async function traded(page) {
  for (const list of ['trades', 'orders', 'refusals', 'equity']) {
    await until(async () => (await rows(page, list)) > 0, `the first of ${list}`);
  }
}

test('a wrong token is refused with a reason and the number of the request', async () => {
  const page = await open({ theme: 'light' });
  await keep(page, 'login-light');
  await page.getByLabel('Access token').fill('not-a-token');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.locator('.field.wrong').waitFor();
  assert.match(await page.locator('form').innerText(), /token/i);
  assert.match(await page.locator('form').innerText(), /Request\s+\S+/);
  await logIn(page, admin);
  await page.context().close();
});

test('a link with a token leads to the overview, and keeps no token in the address', async () => {
  const page = await open();
  await page.goto(`${host.url}/#/login?token=${encodeURIComponent(admin)}`);
  await page.getByText('PnL by strategy').waitFor();
  assert.ok(!page.url().includes('token'), page.url());
  await page.goto('about:blank');
  await page.goto(`${host.url}/#/login?token=admin:0`);
  await page.getByText('The token of the link is not valid any more.').waitFor();
  complaints.length = 0;
  await page.context().close();
});

test('a wallet logs in by signing, for its account and role', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.exposeFunction('signWithTestWallet', (message) => host.wallet.sign(message));
  await page.addInitScript((address) => {
    window.solana = {
      connect: async () => ({ publicKey: address }),
      signMessage: async (bytes) => {
        const signature = await window.signWithTestWallet(new TextDecoder().decode(bytes));
        return { signature: Uint8Array.from(signature) };
      },
    };
  }, host.wallet.address);
  await page.goto(host.url);
  await page.getByRole('button', { name: 'Sign in with a Solana wallet' }).click();
  await page.locator('.connection.live').waitFor();
  assert.match(host.wallet.signed[0], /This moves no funds/);
  await show(page, 'strategies');
  const upload = page.getByRole('button', { name: 'Upload a strategy' });
  assert.match(await upload.getAttribute('title'), /needs the role operator; yours is trader/);
  // A wallet is for one account, and backtests concern all.
  await show(page, 'backtest');
  const start = page.getByRole('button', { name: 'Start', exact: true });
  const bound = /concerns all accounts; you are logged in for main alone/;
  assert.match(await start.getAttribute('title'), bound);
  await start.click({ force: true });
  await page.getByText('Runs are for those who may see all accounts').waitFor();
  noComplaints();
  await context.close();
});

for (const theme of ['dark', 'light']) {
  test(`every page shows live data, readable in the ${theme} theme`, async () => {
    const page = await opened('', { theme });
    await traded(page);
    for (const [path, sign] of Object.entries(PAGES)) {
      await show(page, path);
      await page.locator(sign).first().waitFor();
      await page.locator('.skeleton').first().waitFor({ state: 'detached' });
      // The charts paint in the next frames.
      await page.waitForTimeout(500);
      await keep(page, `${path.replace('/', '-') || 'overview'}-${theme}`);
      assert.deepEqual(await page.evaluate(lowContrast), [], `contrast on ${path || 'overview'}`);
    }
    noComplaints();
    await page.context().close();
  });
}

test('figures move by themselves', async () => {
  const page = await opened('');
  const time = page.locator('.feed-panel li', { hasText: 'market time' }).locator('.number');
  const first = await time.innerText();
  await until(async () => (await time.innerText()) !== first, 'the market time moves on');
  await show(page, 'market');
  const legend = page.locator('.chart-legend');
  const candle = await until(async () => (await legend.innerText()).trim(), 'the legend has a candle');
  assert.match(candle, /^O [\d,.]+\s+H [\d,.]+\s+L [\d,.]+\s+C [\d,.]+/);
  await until(async () => (await legend.innerText()).trim() !== candle, 'the candle moves on');
  noComplaints();
  await page.context().close();
});

test('the chart is drawn on, not drawn anew, as bars come in', async () => {
  const page = await opened('market');
  await page.locator('.candle-chart canvas').first().waitFor();
  await page.evaluate(() => {
    document.querySelector('.candle-chart canvas').dataset.same = 'yes';
  });
  const legend = page.locator('.chart-legend');
  const before = await legend.innerText();
  await until(async () => (await legend.innerText()) !== before, 'a bar comes in');
  assert.equal(await page.locator('.candle-chart canvas[data-same]').count(), 1);
  await page.getByLabel('Instrument').selectOption({ index: 1 });
  await page.getByRole('button', { name: '1 m' }).click();
  await until(async () => (await legend.innerText()).trim(), 'the other instrument is shown');
  assert.match(page.url(), /interval=60/);
  noComplaints();
  await page.context().close();
});

test('weights are previewed, bounded, and applied together', async () => {
  const page = await opened('strategies');
  const field = (name) => page.getByLabel(`Weight of ${name} in percent`);
  await field('momentum').fill('90');
  await page.getByText('too much').waitFor();
  assert.equal(
    await page.getByRole('button', { name: 'Apply weights' }).getAttribute('aria-disabled'),
    'true',
  );
  await field('momentum').fill('40');
  await field('scalping').fill('20.5');
  const row = page.locator('.weights-row', { hasText: 'momentum' });
  assert.match(await row.locator('.numeric').nth(1).innerText(), /^[\d,]+\.\d\d$/);
  await keep(page, 'weights-preview');
  await page.getByRole('button', { name: 'Apply weights' }).click();
  await page.locator('.toast.good').first().waitFor();
  const card = page.getByRole('article', { name: 'scalping' });
  await until(async () => (await card.innerText()).includes('20.5'), 'the card shows the new weight');
  const answer = await page.request.get(`${host.url}/api/v1/accounts/main/strategies/momentum`);
  assert.equal(Number((await answer.json()).weight), 0.4);
  noComplaints();
  await page.context().close();
});

test('what the calls of a strategy cost is shown on its card', async () => {
  const page = await opened('strategies');
  const figure = (title) =>
    page.locator('.strategy-card').first().locator('dl div', { hasText: title }).locator('dd').innerText();
  for (const title of ['Calls', 'Fuel a call', 'Peak fuel', 'Call p50', 'Call p99']) {
    await until(async () => /[1-9]/.test(await figure(title)), `${title} of a strategy`);
  }
  assert.match(await figure('Call p50'), /^[\d.]+\s(ns|µs|ms)$/u);
  assert.match(await figure('Peak fuel'), /%$/);
  await page.locator('.strategy-card a').first().click();
  await page.locator('.facts-strip', { hasText: 'Call p50' }).waitFor();
  noComplaints();
  await page.context().close();
});

test('alerts are listed as they come, and a test says that nobody is told', async () => {
  const page = await opened('alerts');
  await page.locator('tbody tr').first().waitFor();
  const halted = page.locator('tbody tr', { hasText: 'an alert to be seen' });
  assert.equal(await halted.count(), 0);
  const answer = await page.request.post(`${host.url}/api/v1/accounts/main/halt`, {
    headers: { authorization: `Bearer ${admin}`, 'idempotency-key': 'alert' },
    data: { reason: 'an alert to be seen', action: 'stop-entries' },
  });
  assert.equal(answer.status(), 200, await answer.text());
  await halted.waitFor();
  assert.match(await halted.innerText(), /critical/);
  const resumed = await page.request.post(`${host.url}/api/v1/accounts/main/resume`, {
    headers: { authorization: `Bearer ${admin}`, 'idempotency-key': 'alert-over' },
    data: {},
  });
  assert.equal(resumed.status(), 200, await resumed.text());
  await page.locator('tbody tr', { hasText: 'trading resumed' }).first().waitFor();
  await keep(page, 'alerts');
  noComplaints();
  await page.getByRole('button', { name: 'Send a test' }).click();
  await page.getByText('nobody is told of anything').waitFor();
  await page.context().close();
});

test('the mode of a strategy is switched', async () => {
  const page = await opened('strategies');
  const modes = page.getByRole('group', { name: 'Mode of scalping' });
  await modes.getByRole('button', { name: 'Off' }).click();
  await page.getByText('scalping is off').waitFor();
  await until(
    async () => (await modes.getByRole('button', { name: 'Off' }).getAttribute('aria-pressed')) === 'true',
    'the live view says so as well',
  );
  await modes.getByRole('button', { name: 'Live' }).click();
  await page.getByText('scalping is in live mode').waitFor();
  noComplaints();
  await page.context().close();
});

test('trading is halted with a reason, seen as halted, and resumed', async () => {
  const page = await opened('');
  await page.locator('.safety-panel').getByRole('button', { name: 'Halt trading' }).click();
  const dialog = page.getByRole('dialog');
  const halt = dialog.getByRole('button', { name: /^Halt/ });
  assert.equal(await halt.getAttribute('aria-disabled'), 'true', 'a reason is needed');
  await dialog.getByRole('button', { name: 'Cancel orders' }).click();
  await dialog.getByLabel('Reason').fill('the browser test wants it');
  await keep(page, 'halt-dialog', false);
  await halt.click();
  const banner = page.locator('.halt-banner');
  await banner.waitFor();
  assert.match(await banner.innerText(), /the browser test wants it\s+by admin, cancel orders/);
  await keep(page, 'halted', false);
  await banner.getByRole('button', { name: 'Resume trading' }).click();
  await banner.waitFor({ state: 'detached' });
  await show(page, 'audit');
  await page.getByText('the browser test wants it').first().waitFor();
  noComplaints();
  await page.context().close();
});

test('a position is closed by hand, once it is confirmed', async () => {
  const page = await opened('positions');
  await page.getByRole('button', { name: 'Close', exact: true }).first().click({ timeout: 120_000 });
  const dialog = page.getByRole('dialog');
  const title = await dialog.getByRole('heading').innerText();
  await dialog.getByRole('button', { name: 'Close at the market' }).click();
  // An exit or the strategy itself may have been faster; then the host says so, and that is shown.
  const told = await page.locator('.toast').first().innerText();
  const [, instrument, strategy] = /^Close (\S+) of (\S+)$/.exec(title);
  assert.ok(told.startsWith(`${instrument} of ${strategy} `), told);
  assert.equal(await dialog.count(), 0);
  await page.context().close();
});

test('the exits of a position are replaced, or the host says why not', async () => {
  const page = await opened('positions');
  await page.getByRole('button', { name: 'Exits' }).first().click({ timeout: 120_000 });
  const dialog = page.getByRole('dialog');
  const stop = dialog.getByLabel('Stop loss, below entry');
  await stop.fill('120');
  await dialog.getByText('The stop loss must be above 0 and at most 100 %.').waitFor();
  await stop.fill('9.5');
  await keep(page, 'exits-dialog', false);
  await dialog.getByRole('button', { name: 'Replace the exits' }).click();
  // The position may be closed by now, or the operator's bounds may ask for more.
  await page.locator('.toast.good, dialog .problem').first().waitFor();
  await page.context().close();
});

test('an order by hand passes the gate and is marked manual', async () => {
  const page = await opened('market');
  const ticket = page.locator('.ticket');
  await ticket.getByLabel('In the books of').selectOption('momentum');
  await ticket.getByLabel('Amount', { exact: true }).fill('60');
  await ticket.getByRole('button', { name: /^Buy 60 USD of / }).click();
  // The gate may have a reason to refuse it, such as a pause after a trade; then the reason is shown.
  const outcome = await until(async () => {
    for (const [name, at] of [
      ['passed', page.locator('.toast.good')],
      ['refused', ticket.getByRole('alert')],
    ]) {
      if (await at.count()) return [name, await at.innerText()];
    }
    return null;
  }, 'an outcome');
  if (outcome[0] === 'refused') assert.match(outcome[1], /[A-Z]+_[A-Z_]+/);
  else {
    const answer = await page.request.get(
      `${host.url}/api/v1/accounts/main/orders?strategy=momentum&limit=20`,
    );
    assert.ok((await answer.json()).items.some(({ origin }) => origin === 'manual'));
    await show(page, 'orders');
    await page.getByLabel('Origin').selectOption('manual');
    await page.getByRole('cell', { name: 'manual' }).first().waitFor();
    assert.equal(await page.getByRole('cell', { name: 'strategy', exact: true }).count(), 0);
  }
  await keep(page, 'order-by-hand', false);
  await page.context().close();
});

test('parameters are checked, applied and shown', async () => {
  const page = await opened('strategies/sma-crossover');
  const field = page.getByLabel('fast', { exact: true });
  const before = await field.inputValue();
  await field.fill('1.5');
  await page.getByText('A whole number is needed.').waitFor();
  await field.fill(String(Number(before) + 1));
  await page.getByRole('button', { name: 'Apply parameters' }).click();
  await page.locator('.toast.good').waitFor();
  await page.getByText('Nothing changed').waitFor();
  await until(
    async () => (await field.inputValue()) === String(Number(before) + 1),
    'the host tells the new value',
  );
  noComplaints();
  await page.context().close();
});

test('a backtest runs to its report', async () => {
  const page = await opened('backtest');
  await page.getByLabel('Strategy').selectOption('sma-crossover');
  await page.getByLabel('Length').fill('2');
  await page.getByRole('button', { name: 'Start' }).click();
  const job = page.locator('.jobs li').first();
  const report = job.getByRole('link', { name: 'Open the report' });
  await report.waitFor({ timeout: 120_000 });
  assert.match(await job.innerText(), /sma-crossover, 2 days, seed 1/);
  assert.match(await job.locator('.facts').innerText(), /Ended with\s+[\d,]+\.\d\d/);
  await keep(page, 'backtest-done', false);
  const answer = await page.request.get(new URL(await report.getAttribute('href'), page.url()).href);
  assert.equal(answer.status(), 200);
  assert.match(await answer.text(), /<html/);
  await page.getByLabel('Length').fill('366');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.locator('.jobs li').first().getByText('cancelled').waitFor();
  noComplaints();
  await page.context().close();
});

test('settings are changed after a preview, and their history shows it', async () => {
  const page = await opened('settings');
  await page.getByRole('button', { name: 'Change the settings' }).click();
  const dialog = page.getByRole('dialog');
  const text = dialog.getByLabel(/All settings as JSON/);
  const settings = JSON.parse(await text.inputValue());
  await text.fill('{');
  await dialog.getByRole('alert').waitFor();
  settings.faults.quarantine_after += 1;
  await text.fill(JSON.stringify(settings, null, 2));
  await dialog.getByText('faults.quarantine_after').waitFor();
  await keep(page, 'settings-dialog', false);
  await dialog.getByRole('button', { name: 'Apply 1 change' }).click();
  await page.locator('.toast.good').waitFor();
  const changed = page.getByRole('region', { name: 'What changed' });
  await changed.getByText('faults.quarantine_after').waitFor();
  assert.equal(await page.locator('.history-list li').count(), 2);
  noComplaints();
  await page.context().close();
});

test('a strategy is uploaded and appears', async () => {
  const page = await opened('strategies');
  const [file] = (await readdir(host.plugins)).filter((name) => name.startsWith('sma'));
  await page.getByRole('button', { name: 'Upload a strategy' }).click();
  const dialog = page.getByRole('dialog');
  const buffer = await readFile(join(host.plugins, file));
  await dialog
    .locator('input[type=file]')
    .setInputFiles({ name: 'second-sma.wasm', mimeType: 'application/wasm', buffer });
  await keep(page, 'upload-dialog', false);
  await dialog.getByRole('button', { name: 'Upload' }).click();
  await page.locator('.toast.good').first().waitFor();
  await page.getByRole('article', { name: 'second-sma' }).waitFor();
  noComplaints();

  await page.getByRole('button', { name: 'Upload a strategy' }).click();
  const broken = { name: 'broken.wasm', mimeType: 'application/wasm', buffer: Buffer.from('not wasm') };
  await dialog.locator('input[type=file]').setInputFiles(broken);
  await dialog.getByRole('button', { name: 'Upload' }).click();
  await dialog.getByRole('alert').waitFor();
  assert.match(await dialog.getByRole('alert').innerText(), /Request/);
  await page.context().close();
});

test('an order tells its life', async () => {
  const page = await opened('orders');
  await page.locator('tbody tr').first().waitFor();
  await page.getByLabel('Status').selectOption('filled');
  await until(
    async () => (await page.locator('tbody tr .badge').allInnerTexts()).every((text) => text === 'filled'),
    'the filter holds',
  );
  await page.getByLabel('Origin').selectOption('strategy');
  await until(
    async () =>
      (await page.locator('tbody td[data-title="Origin"]').allInnerTexts()).every(
        (text) => text === 'strategy',
      ),
    'the other filter holds, too',
  );
  await page.locator('tbody tr').first().click();
  await page.locator('.timeline li').first().waitFor();
  const why = page
    .getByRole('dialog')
    .locator('dt', { hasText: /^Why$/ })
    .locator('xpath=following-sibling::dd[1]');
  assert.match(await why.innerText(), /[a-z]{3}/, 'the strategy said why');
  assert.ok((await page.locator('.timeline li').count()) >= 2);
  assert.ok((await page.getByRole('dialog').locator('tbody tr').count()) >= 1, 'its fills are listed');
  await keep(page, 'order-drawer', false);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  noComplaints();
  await page.context().close();
});

test('trades are sorted and exported', async () => {
  const page = await opened('trades');
  await page.locator('tbody tr').first().waitFor();
  await page.getByRole('button', { name: 'Fees, USD' }).click();
  const column = page.locator('tbody td[data-title="Fees, USD"]');
  const fees = (await column.allInnerTexts()).map((text) => Number(text.replace(/,/g, '')));
  assert.deepEqual(
    fees,
    [...fees].sort((a, b) => b - a),
  );
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export CSV' }).click();
  const lines = (await readFile(await (await downloading).path(), 'utf8')).trim().split('\r\n');
  assert.match(lines[0], /^sequence,strategy,instrument,side/);
  assert.ok(lines.length > 1);
  noComplaints();
  await page.context().close();
});

test('a dropped connection comes back and goes on where it was', async () => {
  const page = await open();
  const hellos = [];
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => {
      if (typeof payload === 'string' && payload.includes('"kind":"hello"')) hellos.push(JSON.parse(payload));
    }),
  );
  await logIn(page, admin);
  await until(() => hellos.length === 1, 'the first hello');
  await page.context().setOffline(true);
  await page.locator('.connection.lost').waitFor();
  await keep(page, 'reconnecting', false);
  await page.context().setOffline(false);
  await page.locator('.connection.live').waitFor();
  assert.equal(hellos.at(-1).resumed, true);
  assert.equal(hellos.at(-1).stream, hellos[0].stream);
  await page.context().close();
});

test('a viewer sees everything and can change nothing', async () => {
  const page = await opened('strategies', { token: await host.token('viewer') });
  const reason = /needs the role operator; yours is viewer/;
  const apply = page.getByRole('button', { name: 'Upload a strategy' });
  await apply.waitFor();
  assert.match(await apply.getAttribute('title'), reason);
  await apply.click({ force: true });
  assert.equal(await page.getByRole('dialog').count(), 0);
  const halt = page.getByRole('button', { name: 'Halt trading' }).first();
  assert.match(await halt.getAttribute('title'), reason);
  await show(page, 'tokens');
  await page.getByText('Only admins may see tokens').waitFor();
  noComplaints();
  await page.context().close();
});

test('a token is made, shown once and revoked, and whoever used it is shut out', async () => {
  const page = await opened('tokens');
  await page.getByRole('button', { name: 'New token' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('guest');
  await dialog.getByLabel('Role').selectOption('trader');
  await dialog.getByRole('button', { name: 'Create' }).click();
  const secret = await dialog.locator('.secret code').innerText();
  await dialog.getByRole('button', { name: 'I have kept it' }).click();
  const guest = await opened('', { token: secret });
  const row = page.locator('tbody tr', { hasText: 'guest' });
  await row.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await row.getByText('revoked').waitFor();
  await guest.getByText('Your session has ended').waitFor();
  await guest.context().close();
  await page.context().close();
});

test('everything is reached with the keyboard, and the focus is seen', async () => {
  const page = await opened('');
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('Tab');
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Skip to the content/);
  const reached = [];
  for (let press = 0; press < 30; press += 1) {
    await page.keyboard.press('Tab');
    const focus = await page.evaluate(() => {
      const element = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const name = element.getAttribute('aria-label') ?? element.textContent.trim();
      return { name, seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1 };
    });
    assert.ok(focus.seen, `the focus on "${focus.name}" is not seen`);
    reached.push(focus.name);
  }
  for (const name of ['Market', 'Tokens', 'Halt trading', 'Log out', 'All']) {
    assert.ok(reached.includes(name), `${name} is not among ${reached.join(', ')}`);
  }
  await page.context().close();
});

for (const theme of ['dark', 'light']) {
  test(`every page fits a phone in the ${theme} theme`, async () => {
    const page = await opened('', { theme, width: 380, height: 800 });
    await traded(page);
    for (const [path, sign] of Object.entries(PAGES)) {
      await show(page, path);
      await page.locator(sign).first().waitFor();
      await page.waitForTimeout(300);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path || 'overview'} is ${wide} px too wide`);
      await keep(page, `phone-${path.replace('/', '-') || 'overview'}-${theme}`, false);
    }
    await page.locator('nav.bottom').getByRole('button', { name: 'More' }).click();
    await keep(page, `phone-more-${theme}`, false);
    await page.getByRole('dialog').getByRole('link', { name: 'Refusals' }).click();
    await page.getByRole('heading', { name: 'Refusals' }).waitFor();
    assert.equal(await page.getByRole('dialog').count(), 0);
    noComplaints();
    await page.context().close();
  });
}

test('the theme is switched and kept', async () => {
  const page = await opened('', { theme: 'dark' });
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await theme(), 'dark');
  await page.locator('.theme-switch').click();
  assert.equal(await theme(), 'light');
  await page.reload();
  await page.locator('.connection.live').waitFor();
  assert.equal(await theme(), 'light');
  noComplaints();
  await page.context().close();
});

test('logging out ends the session', async () => {
  const page = await opened('');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Access token').waitFor();
  await page.reload();
  await page.getByLabel('Access token').waitFor();
  await page.context().close();
});
