import type { Credentials } from './callFlow.ts';
import { find } from './dom.ts';
import { clock, duration } from './schedule.ts';
import { hostPort, type MediaStatistics } from './statistics.ts';
import { labels } from './texts.ts';

const none = '–';
const ids = [
  'packets-sent', 'packets-received', 'packets-lost', 'round-trip-time', 'jitter', 'bytes', 'codec',
  'local-candidate-type', 'remote-candidate-type', 'relay-protocol', 'relay-candidate', 'remote-candidate', 'time-left',
];

/** The panel that proves the path: candidates, packets, times, and how long the token lives. */
export class Figures {
  #credentials: Credentials | undefined;

  clear(): void {
    this.#credentials = undefined;
    for (const id of ids) find(id).textContent = none;
    find('renewals').textContent = '';
    find<HTMLProgressElement>('time-bar').value = 0;
    this.stop();
  }

  /** The call is over: the last figures stay, the path is no longer alive and no token is held. */
  stop(): void {
    this.#credentials = undefined;
    find('path').dataset.live = 'false';
    find('time-left').textContent = none;
    find<HTMLProgressElement>('time-bar').value = 0;
  }

  relayed(candidate: RTCIceCandidate): void {
    find('relay-candidate').textContent = hostPort(candidate.address ?? '', candidate.port);
    find('local-candidate-type').textContent = candidate.type;
  }

  credentials(credentials: Credentials): void {
    this.#credentials = credentials;
    find('renewals').textContent = labels.renewed(credentials.renewals);
    this.tick();
  }

  /** Called each second. */
  tick(): void {
    if (!this.#credentials) return;
    const left = Math.max(0, (this.#credentials.expiresAt - performance.now()) / 1000);
    find('time-left').textContent = clock(left);
    find<HTMLProgressElement>('time-bar').value = left / this.#credentials.lifetime;
  }

  show(statistics: MediaStatistics): void {
    const texts: Record<string, string> = {
      'packets-sent': statistics.packetsSent.toLocaleString('en'),
      'packets-received': statistics.packetsReceived.toLocaleString('en'),
      'packets-lost': statistics.packetsLost.toLocaleString('en'),
      'round-trip-time': statistics.roundTripTime === undefined ? none : duration(statistics.roundTripTime),
      jitter: statistics.jitter === undefined ? none : duration(statistics.jitter),
      bytes: `${size(statistics.bytesSent)} / ${size(statistics.bytesReceived)}`,
      codec: statistics.codecs.map(name => name.replace(/^(audio|video)\//, '')).join(', ') || none,
    };
    if (statistics.local) {
      texts['local-candidate-type'] = statistics.local.type;
      texts['relay-candidate'] = statistics.local.address;
      texts['relay-protocol'] = statistics.local.relayProtocol ?? none;
    }
    if (statistics.remote) {
      texts['remote-candidate-type'] = statistics.remote.type;
      texts['remote-candidate'] = statistics.remote.address;
    }
    for (const [id, text] of Object.entries(texts)) find(id).textContent = text;
    find('path').dataset.live = String(statistics.local !== undefined);
  }
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
