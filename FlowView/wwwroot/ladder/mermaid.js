// @ts-check
// A ladder as text that Mermaid draws: for tickets, mails and documents.
import { duration } from './drawing.js';

/** @param {import('./ladder.js').Ladder} ladder */
export function toMermaid(ladder) {
  /** @type {Map<string, string>} */
  const names = new Map(ladder.lanes.map((lane, index) => [lane.id, `L${index}`]));
  const lines = ['sequenceDiagram', ...ladder.lanes.map(lane => `  participant ${names.get(lane.id)} as ${plain(lane.name)}`)];
  for (const row of ladder.rows) {
    const [from, to] = [names.get(row.from), names.get(row.to)];
    const words = plain([row.number && `(${row.number})`, row.label, row.count > 1 && `×${row.count}`, row.took === undefined ? '' : duration(row.took)].filter(part => part).join(' '));
    if (row.kind === 'local') lines.push(`  Note over ${from}: ${words}`);
    else lines.push(`  ${from}${row.failed && row.isCause ? '-x' : row.kind === 'response' ? '-->>' : '->>'}${to}: ${words}`);
    if (row.isCause && row.reason) lines.push(`  Note over ${from === to ? from : `${from},${to}`}: ✗ ${plain(row.reason)}`);
  }
  return lines.join('\n') + '\n';
}

/** Without what Mermaid takes for its own. @param {string} words */
function plain(words) {
  return words.replace(/[\n\r]+/g, ' ').replace(/[;#]/g, ',').replace(/</g, '‹').replace(/>/g, '›');
}
