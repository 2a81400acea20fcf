import type { Problem } from '../problem.ts';
import { turnProblem } from '../turn.ts';

/**
 * How long candidates are waited for. SIP sends them all in one description (no trickle ICE), and a TURN server that does not
 * answer would hold the call back for 40 s: after 0.6 s one usable candidate is enough, and without any there is a last moment.
 */
export const enoughAfter = 600;
export const giveUpAfter = 8_000;

/** Whether to wait on: `elapsed` in milliseconds since gathering started, `usable` candidates so far. */
export function gatheringState(elapsed: number, usable: number, isComplete: boolean): 'wait' | 'enough' | 'failed' {
  if (usable > 0 && (isComplete || elapsed >= enoughAfter)) return 'enough';
  return isComplete || elapsed >= giveUpAfter ? 'failed' : 'wait';
}

/** The names under which candidates of a description are sent; an ICE restart makes new ones. */
export function userFragments(sdp: string): Set<string> {
  return new Set([...sdp.matchAll(/^a=ice-ufrag:(\S+)/gm)].map(match => match[1]!));
}

export interface GatheringEvents {
  onrelayed(candidate: RTCIceCandidate): void;
  /** A restart found no candidate. The description goes out without: the call lives on as long as its old path does. */
  onrestartfailed(problem: Problem): void;
}

/**
 * Makes `setLocalDescription` of a connection end when the description has its candidates, after an ICE restart as well.
 * JsSIP 3.13.8 waits by itself for `iceGatheringState`, but after the first time not at all, and for ever on a restart that
 * it asked for; so it is told that gathering is complete, which is true of every description that it then reads.
 */
export function describeWithCandidates(connection: RTCPeerConnection, events: GatheringEvents, signal: AbortSignal): void {
  const setLocalDescription = connection.setLocalDescription.bind(connection);
  const isComplete = () => Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, 'iceGatheringState')!.get!.call(connection) === 'complete';
  const isRelayOnly = () => connection.getConfiguration().iceTransportPolicy === 'relay';

  connection.setLocalDescription = async (description?: RTCLocalSessionDescriptionInit) => {
    const before = userFragments(connection.currentLocalDescription?.sdp ?? '');
    const gathering = new Gathering(connection, isRelayOnly(), events.onrelayed, signal);
    try {
      await setLocalDescription(description);
      const now = userFragments(connection.localDescription?.sdp ?? '');
      if ([...now].some(fragment => !before.has(fragment))) await gathering.ends(isComplete).catch(problem => {
        if (before.size === 0) throw problem;
        events.onrestartfailed(problem as Problem);
      });
    } finally {
      gathering.close();
    }
  };
  Object.defineProperty(connection, 'iceGatheringState', { get: () => 'complete' });
}

class Gathering {
  readonly #over = new AbortController();
  readonly #errors: number[] = [];
  readonly #signal: AbortSignal;
  #usable = 0;
  #hasEnded = false;
  #look = () => {};

  constructor(connection: RTCPeerConnection, relayOnly: boolean, relayed: (candidate: RTCIceCandidate) => void, signal: AbortSignal) {
    this.#signal = signal;
    const listening = { signal: this.#over.signal };
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate === null) this.#hasEnded = true;
      else if (candidate.type === 'relay') {
        this.#usable++;
        relayed(candidate);
      } else if (!relayOnly && candidate.candidate !== '') this.#usable++;
      this.#look();
    }, listening);
    connection.addEventListener('icecandidateerror', event => this.#errors.push(event.errorCode), listening);
  }

  ends(isComplete: () => boolean): Promise<void> {
    const started = performance.now();
    return new Promise((resolve, reject) => {
      this.#look = () => {
        if (this.#signal.aborted) return reject(this.#signal.reason as Error);
        const state = gatheringState(performance.now() - started, this.#usable, this.#hasEnded && isComplete());
        if (state === 'enough') resolve();
        else if (state === 'failed') reject(turnProblem(this.#errors));
      };
      for (const limit of [enoughAfter, giveUpAfter]) {
        const timer = setTimeout(this.#look, limit + 1);
        this.#over.signal.addEventListener('abort', () => clearTimeout(timer));
      }
      this.#signal.addEventListener('abort', this.#look, { signal: this.#over.signal });
      this.#look();
    });
  }

  close(): void {
    this.#over.abort();
  }
}
