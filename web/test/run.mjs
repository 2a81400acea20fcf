// Compiles the tests and runs every file *.test.ts under this folder, or under the given subfolder of it. Each run has an output folder
// of its own, so two test projects can run at once.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
mkdirSync(join(root, 'obj'), { recursive: true });
const output = mkdtempSync(join(root, 'obj', 'test-'));
const node = (...options) => spawnSync(process.execPath, options, { cwd: root, stdio: 'inherit' }).status ?? 1;
try {
  process.exitCode = node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json', '--outDir', output);
  if (process.exitCode === 0) {
    const folder = join(output, 'test', process.argv[2] ?? '');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.test.js')).map(name => join(folder, name));
    process.exitCode = files.length === 0 ? 1 : node('--test', '--test-reporter=spec', ...files);
  }
} finally {
  rmSync(output, { recursive: true, force: true });
}
