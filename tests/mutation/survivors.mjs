// Counts the mutants of a Stryker report and lists the survivors: node survivors.mjs report.json
import { readFileSync } from 'node:fs';

const { files } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const counts = {};
const survivors = [];
for (const [name, file] of Object.entries(files)) {
  for (const mutant of file.mutants) {
    counts[mutant.status] = (counts[mutant.status] ?? 0) + 1;
    if (mutant.status !== 'Survived' && mutant.status !== 'NoCoverage') continue;
    const { line } = mutant.location.start;
    const place = name.replace(/^.*\/(?=[A-Z][\w.]*\/(?:[A-Z]\w*\/)*\w+\.cs$)/, '');
    const original = file.source.split('\n')[line - 1].trim();
    survivors.push(`${place}:${line} ${mutant.mutatorName}\n    ${original}\n    -> ${mutant.replacement.replace(/\s+/g, ' ').slice(0, 140)}`);
  }
}

const killed = (counts.Killed ?? 0) + (counts.Timeout ?? 0);
const valid = killed + (counts.Survived ?? 0) + (counts.NoCoverage ?? 0);
console.log(survivors.sort().join('\n'));
console.log(`${valid} mutants, ${killed} killed, ${valid - killed} survived: ${((100 * killed) / valid).toFixed(1)} %`);
