import { defineConfig } from 'vite';
import { target } from '../browsers.mjs';

// `npm run dev` serves the page with hot reload on port 5173. The API comes from a running gateway.
const gateway = process.env.WIC_GATEWAY ?? 'http://localhost:8080';

export default defineConfig({
  build: {
    outDir: '../../WicWeb/wwwroot',
    emptyOutDir: true,
    rolldownOptions: { input: ['page/index.html', 'page/demo.html'] },
    target,
    // The content security policy admits only files: nothing may be inlined as a data: URL.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': gateway, '/flow': gateway, '/v1': gateway }, fs: { allow: ['..'] } },
});
