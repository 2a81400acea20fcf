import { defineConfig } from 'vite';

// `npm run dev` serves the page with hot reload on port 5173 and takes the API from a running gateway.
const gateway = process.env.WIC_GATEWAY ?? 'http://localhost:8080';

export default defineConfig({
  build: {
    outDir: '../wwwroot',
    emptyOutDir: true,
    rolldownOptions: { input: ['index.html', 'demo.html'] },
    target: ['chrome123', 'firefox120', 'safari17.5'],
    // The content security policy admits files only: nothing may be inlined as a data: URL.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // FlowView's ladder is drawn here, too.
  server: { proxy: { '/api': gateway, '/flow': gateway, '/v1': gateway }, fs: { allow: ['.', '../../FlowView/wwwroot/ladder'] } },
});
