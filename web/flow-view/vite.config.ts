import { defineConfig } from 'vite';

export default defineConfig({
  // FlowView serves its pages under /flow/, also behind the gateway.
  base: './',
  build: {
    outDir: '../../FlowView/wwwroot',
    emptyOutDir: true,
    target: ['chrome123', 'firefox120', 'safari17.5'],
    // The content security policy admits only files: nothing may be inlined as a data: URL.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
