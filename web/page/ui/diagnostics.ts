import type { CheckResult } from '../ims/checks.ts';
import type { OnlineState } from '../ims/registration.ts';
import type { Problem } from '../call/problem.ts';
import type { MediaStatistics } from '../call/statistics.ts';
import { Formats } from '../../shared/texts/formats.ts';

export interface Findings {
  at: Date;
  browser: string;
  page: string;
  online: OnlineState;
  phase: string;
  traceId: string;
  problem: Problem | undefined;
  checks: CheckResult[];
  statistics: MediaStatistics | undefined;
}

// Operators compare diagnostics of pages in any language.
const formats = new Formats('en');

/** The state of this page for an operator, as text to copy. It has no token, no key, and no name or address of a person. */
export function diagnostics(findings: Findings): string {
  const { at, browser, page, online, phase, traceId, problem, checks, statistics } = findings;
  const lines: [string, string][] = [
    ['time', at.toISOString()], ['page', page], ['browser', browser], ['ims', online], ['call', phase], ['trace id', traceId || 'none'],
    ['last problem', problem ? [problem.code, problem.detail].filter(Boolean).join(', ') : 'none'],
    ...checks.map(({ name, problem: found, took }): [string, string] => [`check ${name}`, found ? found.code : `ok, ${formats.duration(took)}`]),
  ];
  if (statistics) {
    const { packetsSent, packetsReceived, packetsLost, roundTripTime, jitter, codecs, local, remote } = statistics;
    lines.push(
      ['packets', `${packetsSent} sent, ${packetsReceived} received, ${packetsLost} lost`],
      ['round trip', roundTripTime === undefined ? 'not measured' : formats.duration(roundTripTime)],
      ['jitter', jitter === undefined ? 'not measured' : formats.duration(jitter)],
      ['codecs', codecs.join(', ') || 'none'],
      ['path', `${local?.type ?? 'none'} (${local?.relayProtocol ?? '-'}) to ${remote?.type ?? 'none'}`]);
  }
  return lines.map(([name, value]) => `${name}: ${value}`).join('\n');
}
