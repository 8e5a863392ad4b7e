import { chromium } from 'playwright-core';
const [, , out, theme = 'dark', width = '1440', ...pages] = process.argv;
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
const w = Number(width);
const context = await browser.newContext({
  viewport: { width: w, height: w < 500 ? 800 : 900 },
  colorScheme: theme,
});
const page = await context.newPage();
page.on('console', (m) => {
  if (['error', 'warning'].includes(m.type())) console.log('console', m.text());
});
page.on('pageerror', (e) => console.log('pageerror', e.message));
const base = process.env.BASE ?? 'http://127.0.0.1:7374';
await page.goto(base + '/');
await page.getByLabel('Access token').waitFor();
if (pages.includes('login')) await page.screenshot({ path: `${out}/login-${theme}-${w}.png` });
await page.getByLabel('Access token').fill(process.env.TOKEN ?? 'admin');
await page.getByRole('button', { name: 'Log in' }).click();
await page.getByText('Live', { exact: true }).first().waitFor();
for (const p of pages.filter((p) => p !== 'login')) {
  await page.goto(base + '/#/' + p);
  await page.waitForTimeout(2500);
  await page.screenshot({
    path: `${out}/${(p || 'overview').replace(/[/?=&]/g, '_')}-${theme}-${w}.png`,
    fullPage: true,
  });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) console.log('overflow', p, over);
}
await browser.close();
