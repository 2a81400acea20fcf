// Tests each mutant in a process of its own: node each.mjs report.json test-executable before xunit-options...
// Stryker's own runner keeps one process for all mutants and runs all tests for each, which takes hours for a web project.
// `before` is the report of an earlier run, whose killed mutants are not tested again, or "none". Writes the results into the report.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const [reportFile, executable, before, ...options] = process.argv.slice(2);
const report = JSON.parse(readFileSync(reportFile, 'utf8'));

// A mutant keeps its place and its text as long as its file stays the same. Its number depends on other files.
const keyOf = (name, file, mutant) => JSON.stringify([name.replace(/^.*\/(?=\w+\/\w+\.cs$)/, ''), file.source, mutant.location, mutant.replacement]);
const earlier = new Map();
for (const [name, file] of Object.entries(before === 'none' ? {} : JSON.parse(readFileSync(before, 'utf8')).files))
  for (const mutant of file.mutants) if (mutant.status === 'Killed' || mutant.status === 'Timeout') earlier.set(keyOf(name, file, mutant), mutant);

/** Runs the tests under one mutant, until the first failure. */
function run(mutant, limit) {
  return new Promise((resolve) => {
    const child = spawn(executable, [...options, '-stopOnFail', '-noLogo', '-noColor'], {
      // Stryker's switch reads the name of the variable that has the number of the active mutant.
      env: { ...process.env, STRYKER_MUTANT_ID_CONTROL_VAR: 'ACTIVE_MUTANT', ACTIVE_MUTANT: mutant },
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
    let output = '';
    let isLate = false;
    child.stdout.on('data', (text) => (output += text));
    const started = Date.now();
    const timer = setTimeout(() => {
      isLate = true;
      process.kill(-child.pid, 'SIGKILL');
    }, limit);
    child.on('exit', (code) => {
      clearTimeout(timer);
      const test = /^\s*(?:WebRtcIms\.)?([\w.]+)(?:\(.*\))? \[FAIL\]/m.exec(output)?.[1];
      resolve({ status: isLate ? 'Timeout' : code === 0 ? 'Survived' : 'Killed', test, output, seconds: (Date.now() - started) / 1000 });
    });
  });
}

const clean = await run('-1', 600_000);
if (clean.status !== 'Survived') {
  console.error(clean.output);
  throw new Error('The tests fail without a mutant.');
}
const limit = Math.max(60_000, 3_000 * clean.seconds);
const number = /Total: (\d+)/.exec(clean.output)?.[1];
console.error(`${number} tests in ${clean.seconds.toFixed(1)} s without a mutant`);

for (const [name, file] of Object.entries(report.files)) {
  for (const mutant of file.mutants) {
    // Stryker leaves out mutants that do not compile or that a filter excludes.
    if (mutant.status === 'Ignored' || mutant.status === 'CompileError') continue;
    const known = earlier.get(keyOf(name, file, mutant));
    const { status, test, seconds = 0 } = known ? { status: known.status, test: known.statusReason } : await run(mutant.id, limit);
    mutant.status = status;
    mutant.statusReason = test;
    if (!known)
      console.error(`${name.split('/').at(-1)}:${mutant.location.start.line} #${mutant.id} ${status} ${test ?? ''} ${seconds.toFixed(1)} s`);
  }
}

writeFileSync(reportFile, JSON.stringify(report));
