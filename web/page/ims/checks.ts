import type { Api } from '../call/api.ts';
import type { Registration } from './registration.ts';
import { captureMedia, type Devices, stop } from '../call/media.ts';
import { Problem, problemOf } from '../call/problem.ts';
import { Trace } from '../telemetry/trace.ts';
import { relayConfiguration, relayGathered, type TurnToken } from '../call/turn.ts';

/** The things that a call needs. Each is checked by itself, without a call. */
export type CheckName = 'microphone' | 'signalling' | 'token' | 'udp' | 'tcp' | 'tls';
export const checkNames: readonly CheckName[] = ['microphone', 'signalling', 'token', 'udp', 'tcp', 'tls'];

export interface CheckResult {
  name: CheckName;
  /** Undefined if it works. */
  problem: Problem | undefined;
  /** In milliseconds. */
  took: number;
}

/** True if the service has no TURN server for this transport. That is not a failure. */
export function isNotOffered({ problem }: CheckResult): boolean {
  return problem?.code === 'transport_not_offered';
}

const signallingLimit = 5_000;

export async function runChecks(
  api: Api, registration: Registration, devices: Devices, signal: AbortSignal, report: (result: CheckResult) => void): Promise<void> {
  const trace = new Trace('check connection');
  let token: TurnToken | undefined;
  let failed: string | undefined;
  const run = async (name: CheckName, check: () => Promise<void>) => {
    const started = performance.now();
    let problem: Problem | undefined;
    try {
      await check();
    } catch (thrown) {
      problem = problemOf(thrown);
    }
    const result = { name, problem, took: performance.now() - started };
    if (problem && !isNotOffered(result)) failed ??= problem.code;
    if (!signal.aborted) report(result);
  };
  await Promise.all([
    run('microphone', () => microphone(devices)),
    run('signalling', () => signalling(registration)),
    run('token', async () => { token = (await api.turnToken(trace, signal)).token; })
      .then(() => Promise.all((['udp', 'tcp', 'tls'] as const).map(transport => run(transport, () => relay(token, transport, signal))))),
  ]);
  trace.end(trace.root, failed);
}

async function microphone(devices: Devices): Promise<void> {
  stop(await captureMedia(false, devices));
}

async function signalling(registration: Registration): Promise<void> {
  registration.check();
  const until = performance.now() + signallingLimit;
  while (registration.state !== 'online') {
    if (registration.problem?.isFinal || performance.now() > until) throw registration.problem ?? new Problem('ims_unavailable');
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

async function relay(token: TurnToken | undefined, transport: 'udp' | 'tcp' | 'tls', signal: AbortSignal): Promise<void> {
  if (!token) throw new Problem('turn_not_tried');
  const connection = new RTCPeerConnection(relayConfiguration(token, transport));
  try {
    connection.createDataChannel('check');
    const relayed = relayGathered(connection, signal);
    await Promise.all([relayed, connection.setLocalDescription()]);
  } finally {
    connection.close();
  }
}
