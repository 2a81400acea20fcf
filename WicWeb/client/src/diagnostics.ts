import type { CheckResult } from './checks.ts';
import type { OnlineState } from './ims/registration.ts';
import type { Problem } from './problem.ts';
import { duration } from './schedule.ts';
import type { MediaStatistics } from './statistics.ts';

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

/** What an operator needs to know about this page, as text to copy: no token, no key, no name, no address of a person. */
export function diagnostics(findings: Findings): string {
  const { at, browser, page, online, phase, traceId, problem, checks, statistics } = findings;
  const lines: [string, string][] = [
    ['time', at.toISOString()], ['page', page], ['browser', browser], ['ims', online], ['call', phase], ['trace id', traceId || 'none'],
    ['last problem', problem ? [problem.code, problem.detail].filter(Boolean).join(', ') : 'none'],
    ...checks.map(({ name, problem: found, took }): [string, string] => [`check ${name}`, found ? found.code : `ok, ${duration(took)}`]),
  ];
  if (statistics) {
    const { packetsSent, packetsReceived, packetsLost, roundTripTime, jitter, codecs, local, remote } = statistics;
    lines.push(
      ['packets', `${packetsSent} sent, ${packetsReceived} received, ${packetsLost} lost`],
      ['round trip', roundTripTime === undefined ? 'not measured' : duration(roundTripTime)],
      ['jitter', jitter === undefined ? 'not measured' : duration(jitter)],
      ['codecs', codecs.join(', ') || 'none'],
      ['path', `${local?.type ?? 'none'} (${local?.relayProtocol ?? '-'}) to ${remote?.type ?? 'none'}`]);
  }
  return lines.map(([name, value]) => `${name}: ${value}`).join('\n');
}
