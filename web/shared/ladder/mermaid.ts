import type { Ladder } from './ladder.ts';

/** A ladder as Mermaid text, for tickets, mails and documents. */
export function toMermaid(ladder: Ladder): string {
  const names: Map<string, string> = new Map(ladder.lanes.map((lane, index) => [lane.id, `L${index}`]));
  const lines = ['sequenceDiagram', ...ladder.lanes.map(lane => `  participant ${names.get(lane.id)} as ${plain(lane.name)}`)];
  for (const row of ladder.rows) {
    const [from, to] = [names.get(row.from), names.get(row.to)];
    const words = plain([row.number && `(${row.number})`, row.label, row.count > 1 && `×${row.count}`, row.took === undefined ? '' : ladder.reader.formats.spanDuration(row.took)].filter(part => part).join(' '));
    if (row.kind === 'local') lines.push(`  Note over ${from}: ${words}`);
    else lines.push(`  ${from}${row.failed && row.isCause ? '-x' : row.kind === 'response' ? '-->>' : '->>'}${to}: ${words}`);
    if (row.isCause && row.reason) lines.push(`  Note over ${from === to ? from : `${from},${to}`}: ✗ ${plain(row.reason)}`);
  }
  return lines.join('\n') + '\n';
}

/** Replaces the characters that mean something to Mermaid. */
function plain(words: string) {
  return words.replace(/[\n\r]+/g, ' ').replace(/[;#]/g, ',').replace(/</g, '‹').replace(/>/g, '›');
}
