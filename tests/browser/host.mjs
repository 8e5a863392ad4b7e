// A real host for the test: simulated market, a storage of its own, the API on a free port.
import { spawn, execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Wallet } from './wallet.mjs';

const run = promisify(execFile);

/** How long the host may take to say that it listens. */
const PATIENCE = 120_000;

function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; \`cargo xtask test dashboard\` sets it`);
  return value;
}

export class Host {
  static async start() {
    const host = new Host();
    host.binary = needed('BULKHEAD_BIN');
    host.plugins = needed('BULKHEAD_PLUGINS');
    host.directory = await mkdtemp(join(tmpdir(), 'bulkhead-browser-'));
    const strategies = join(host.directory, 'strategies');
    await mkdir(strategies);
    for (const name of await readdir(host.plugins)) {
      if (name.endsWith('.wasm')) await copyFile(join(host.plugins, name), join(strategies, name));
    }
    host.environment = {
      ...process.env,
      BULKHEAD__STORAGE: join(host.directory, 'storage'),
      BULKHEAD__API__LISTEN: '127.0.0.1:0',
    };
    // Its holder may log in as a trader of the account.
    host.wallet = new Wallet();
    const configuration = join(host.directory, 'bulkhead.toml');
    await writeFile(
      configuration,
      `[api.wallets.${host.wallet.address}]\naccount = "main"\nrole = "trader"\n`,
    );
    const words = ['run', '--json', '--config', configuration, '--strategies', strategies, '--speed', '600'];
    host.process = spawn(host.binary, words, {
      cwd: host.directory,
      env: host.environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    host.url = await host.#address();
    return host;
  }

  #address() {
    return new Promise((resolve, reject) => {
      let log = '';
      const timer = setTimeout(
        () => reject(new Error(`the host does not say where it listens:\n${log}`)),
        PATIENCE,
      );
      this.process.stderr.on('data', (chunk) => {
        log = (log + chunk).slice(-20_000);
        const plain = log.replace(/\u001b\[[0-9;]*m/g, '');
        const found =
          plain.includes('the dashboard and the API are here') && /https?:\/\/127\.0\.0\.1:\d+/.exec(plain);
        if (found) {
          clearTimeout(timer);
          resolve(found[0]);
        }
      });
      this.process.once('exit', (code) => reject(new Error(`the host ended with ${code}:\n${log}`)));
    });
  }

  /** Makes a token of a role, named like it unless a name is given. */
  async token(role, name = role) {
    const made = await this.command('token', 'create', '--name', name, '--role', role, '--json');
    return JSON.parse(made).secret;
  }

  async command(...words) {
    const { stdout } = await run(this.binary, words, { cwd: this.directory, env: this.environment });
    return stdout;
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGTERM');
    await ended;
    await rm(this.directory, { recursive: true, force: true });
  }
}
