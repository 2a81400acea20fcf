import { Problem } from './problem.ts';

/** `POST /api/turn-token`. `ice_servers` holds secrets and is given only to RTCPeerConnection. */
export interface TurnToken {
  uris: string[];
  expires_in: number;
  /** The same token in the form of RFC 7635. */
  kid?: string;
  key?: string;
  access_token?: string;
  ice_servers: { urls: string | string[]; username: string; credential: string }[];
}

export type Transport = 'auto' | 'udp' | 'tcp' | 'tls';

// Chromium cannot write a longer USERNAME attribute: it would neither gather nor report an error.
const maxUserNameBytes = 508;

/** A peer connection's configuration: the relay over the chosen transport, and other paths only if `relayOnly` is false. */
export function relayConfiguration(token: TurnToken, transport: Transport, relayOnly = true): RTCConfiguration {
  const iceServers = token.ice_servers
    .map(server => ({ ...server, urls: [server.urls].flat().filter(url => fits(url, transport)) }))
    .filter(server => server.urls.length > 0);
  if (iceServers.length === 0) throw new Problem('transport_not_offered', { step: 7 });
  if (iceServers.some(server => new TextEncoder().encode(server.username).length > maxUserNameBytes))
    throw new Problem('credentials_too_long', { step: 7 });
  // One allocation for each server, not one for sound and one for the picture.
  return { iceServers, iceTransportPolicy: relayOnly ? 'relay' : 'all', bundlePolicy: 'max-bundle' };
}

/**
 * The same servers, with those at other addresses than that of a lost one first. Chromium gives the first the highest priority, and hesitates
 * for a second before it leaves a silent path for one of a lower priority.
 */
export function othersFirst(configuration: RTCConfiguration, lost: string | undefined): RTCConfiguration {
  if (lost === undefined) return configuration;
  const those = (isLost: boolean) => (configuration.iceServers ?? [])
    .map(server => ({ ...server, urls: [server.urls].flat().filter(url => (addressIn(url) === addressIn(lost)) === isLost) }))
    .filter(server => server.urls.length > 0);
  return { ...configuration, iceServers: [...those(false), ...those(true)] };
}

/** Host and port of a TURN URI (RFC 7065). */
function addressIn(url: string): string {
  return url.replace(/^turns?:/i, '').split('?')[0]!;
}

function fits(url: string, transport: Transport): boolean {
  if (transport === 'auto') return true;
  // For turns: browsers use TLS over TCP, even if the URL names another transport.
  if (url.startsWith('turns:')) return transport === 'tls';
  return transport === (/[?&]transport=tcp\b/i.test(url) ? 'tcp' : 'udp');
}

/** Resolves with the first relay candidate of the next gathering. Rejects with the answer of the TURN server. */
export function relayGathered(connection: RTCPeerConnection, signal: AbortSignal): Promise<RTCIceCandidate> {
  const errors: number[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<RTCIceCandidate>();
  const over = new AbortController();
  const listening = { signal: AbortSignal.any([signal, over.signal]) };
  const fail = () => reject(turnProblem(errors));

  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate?.type === 'relay') resolve(candidate);
  }, listening);
  connection.addEventListener('icecandidateerror', event => errors.push(event.errorCode), listening);
  connection.addEventListener('icegatheringstatechange', () => {
    if (connection.iceGatheringState === 'complete') fail();
  }, listening);
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  // A browser may find no candidate and report no error. It waits 40 s for a silent server.
  const watchdog = setTimeout(fail, gatheringLimit);

  return promise.finally(() => {
    over.abort();
    clearTimeout(watchdog);
  });
}

const gatheringLimit = 8_000;

/** The problem of a gathering without a relay candidate. The server's answer is more precise than its silence (701). */
export function turnProblem(errorCodes: number[]): Problem {
  const answered = errorCodes.find(code => code >= 300 && code < 700);
  const code = answered === undefined ? 'turn_unreachable' : known.has(answered) ? `turn_${answered}` : 'turn_refused';
  return new Problem(code, { step: 8, detail: answered === undefined ? undefined : String(answered) });
}

const known = new Set([401, 403, 486, 508]);
