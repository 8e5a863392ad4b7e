/** Puts the licences of what is bundled beside the pages, as those ask for. */
import { readdir, readFile } from 'node:fs/promises';
import type { Plugin } from 'vite';

const BUNDLED = ['react', 'react-dom', 'scheduler', 'lightweight-charts', 'fancy-canvas'];

export function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    async generateBundle() {
      const parts = await Promise.all(BUNDLED.map(partOf));
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: parts.join('\n') });
    },
  };
}

async function partOf(name: string): Promise<string> {
  const folder = new URL(`node_modules/${name}/`, import.meta.url);
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort();
  const described = JSON.parse(await readFile(new URL('package.json', folder), 'utf8')) as {
    version: string;
    license: string;
  };
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')));
  return [`${name} ${described.version}, ${described.license}`, ...texts, ''].join('\n\n');
}
