import { defineConfig } from 'vite';
import { target } from '../browsers.mjs';

export default defineConfig({
  // FlowView serves its pages under /flow/, also behind the gateway.
  base: './',
  build: {
    outDir: '../../FlowView/wwwroot',
    emptyOutDir: true,
    target,
    // The content security policy admits only files: nothing may be inlined as a data: URL.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
