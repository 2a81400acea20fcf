import type { Credentials } from '../call/callView.ts';
import { find } from '../../shared/dom.ts';
import { hostPort, type MediaStatistics } from '../call/statistics.ts';
import { clock } from '../../shared/texts/formats.ts';
import { formats, texts } from '../../shared/texts/language.ts';

const none = '–';
const ids = [
  'packets-sent', 'packets-received', 'packets-lost', 'round-trip-time', 'jitter', 'bytes', 'codec',
  'local-candidate-type', 'remote-candidate-type', 'relay-protocol', 'relay-candidate', 'remote-candidate', 'time-left',
];

/** The panel of the media path: candidates, packets, times, and the life of the token. */
export class Figures {
  #credentials: Credentials | undefined;
  #last: MediaStatistics | undefined;

  clear(): void {
    this.#credentials = undefined;
    for (const id of ids) find(id).textContent = none;
    find('renewals').textContent = '';
    find<HTMLProgressElement>('time-bar').value = 0;
    this.#last = undefined;
    this.stop();
  }

  /** The call is over: its path and its token are gone. One sentence of it stays. */
  stop(): void {
    this.#credentials = undefined;
    const last = this.#last;
    find('no-path').textContent = last
      ? texts.labels.lastCall(formats.count(last.packetsSent), formats.count(last.packetsReceived), formats.count(last.packetsLost)) : texts.page.noPath;
    find('path').dataset.live = 'false';
    find('measured').hidden = true;
    find('no-path').hidden = false;
  }

  relayed(candidate: RTCIceCandidate): void {
    find('relay-candidate').textContent = hostPort(candidate.address ?? '', candidate.port);
    find('local-candidate-type').textContent = candidate.type;
  }

  credentials(credentials: Credentials): void {
    this.#credentials = credentials;
    find('renewals').textContent = texts.labels.renewed(credentials.renewals);
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
    this.#last = statistics;
    find('measured').hidden = false;
    find('no-path').hidden = true;
    const shown: Record<string, string> = {
      'packets-sent': formats.count(statistics.packetsSent),
      'packets-received': formats.count(statistics.packetsReceived),
      'packets-lost': formats.count(statistics.packetsLost),
      'round-trip-time': statistics.roundTripTime === undefined ? none : formats.duration(statistics.roundTripTime),
      jitter: statistics.jitter === undefined ? none : formats.duration(statistics.jitter),
      bytes: `${formats.size(statistics.bytesSent)} / ${formats.size(statistics.bytesReceived)}`,
      codec: statistics.codecs.map(name => name.replace(/^(audio|video)\//, '')).join(', ') || none,
    };
    if (statistics.local) {
      shown['local-candidate-type'] = statistics.local.type;
      shown['relay-candidate'] = statistics.local.address;
      shown['relay-protocol'] = statistics.local.relayProtocol ?? none;
    }
    if (statistics.remote) {
      shown['remote-candidate-type'] = statistics.remote.type;
      shown['remote-candidate'] = statistics.remote.address;
    }
    for (const [id, text] of Object.entries(shown)) find(id).textContent = text;
    find('path').dataset.live = String(statistics.local !== undefined);
  }
}
