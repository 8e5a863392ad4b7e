import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { licences } from './licences.ts';

// In development the host, or the fake one, answers what the page asks for.
const host = process.env['BULKHEAD_HOST'] ?? 'http://127.0.0.1:7374';

export default defineConfig({
  // Relative, so that the page also works behind a proxy that serves it under a path.
  base: './',
  plugins: [react(), licences()],
  build: {
    target: 'es2022',
    // The content security policy allows no inline scripts, and images from `data:` only.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { '/api': { target: host, ws: true } } },
});
