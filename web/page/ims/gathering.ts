import type { Problem } from '../call/problem.ts';
import { turnProblem } from '../call/turn.ts';

/**
 * How long to wait for candidates. SIP sends them all in one description (no trickle ICE), and a silent TURN server would delay the
 * call by 40 s. So one usable candidate is enough after 0.6 s, and gathering without any fails at the limit. A candidate that comes later
 * is not in the description: the other side then uses it as peer reflexive.
 */
export const enoughAfter = 600;
/** In a call that is restored, every moment is silent. One server answers, and another may be gone and would be waited for. */
export const enoughAfterFirst = 200;
export const giveUpAfter = 8_000;

/**
 * Whether to go on waiting. `elapsed` is in milliseconds since gathering started; `usable` counts the candidates so far, and one is enough
 * at `enoughAt`.
 */
export function gatheringState(elapsed: number, usable: number, isComplete: boolean, enoughAt = enoughAfter): 'wait' | 'enough' | 'failed' {
  if (usable > 0 && (isComplete || elapsed >= enoughAt)) return 'enough';
  return isComplete || elapsed >= giveUpAfter ? 'failed' : 'wait';
}

/** The ICE user fragments of a description. An ICE restart makes new ones. */
export function userFragments(sdp: string): Set<string> {
  return new Set([...sdp.matchAll(/^a=ice-ufrag:(\S+)/gm)].map(match => match[1]!));
}

export interface GatheringEvents {
  onrelayed(candidate: RTCIceCandidate): void;
  /** The answer to a restart found no candidate. It is sent without any, and the call goes on while its old path works. */
  onrestartfailed(problem: Problem): void;
}

/**
 * Makes `setLocalDescription` of a connection resolve when the description has its candidates, also after an ICE restart. An offer
 * without a candidate is rejected, so it is never sent.
 */
export function describeWithCandidates(connection: RTCPeerConnection, events: GatheringEvents, signal: AbortSignal): void {
  const setLocalDescription = connection.setLocalDescription.bind(connection);
  const isComplete = () => connection.iceGatheringState === 'complete';
  const isRelayOnly = () => connection.getConfiguration().iceTransportPolicy === 'relay';

  connection.setLocalDescription = async (description?: RTCLocalSessionDescriptionInit) => {
    if (description?.type === 'rollback') return setLocalDescription(description);
    const before = userFragments(connection.currentLocalDescription?.sdp ?? '');
    const gathering = new Gathering(connection, isRelayOnly(), before.size > 0, events.onrelayed, signal);
    try {
      await setLocalDescription(description);
      const now = connection.localDescription;
      if (isRestart(before, now?.sdp ?? '')) await gathering.ends(isComplete).catch(problem => {
        if (before.size === 0 || now?.type === 'offer') throw problem;
        events.onrestartfailed(problem as Problem);
      });
    } finally {
      gathering.close();
    }
  };
}

/** Whether a description has user fragments that an earlier one did not have. */
export function isRestart(before: Set<string>, sdp: string): boolean {
  return [...userFragments(sdp)].some(fragment => !before.has(fragment));
}

class Gathering {
  readonly #over = new AbortController();
  readonly #errors: number[] = [];
  readonly #signal: AbortSignal;
  readonly #started = performance.now();
  #usable = 0;
  #enoughAt = enoughAfter;
  #hasEnded = false;
  #evaluate = () => {};

  constructor(
    connection: RTCPeerConnection, relayOnly: boolean, isRestart: boolean, relayed: (candidate: RTCIceCandidate) => void, signal: AbortSignal) {
    this.#signal = signal;
    const listening = { signal: this.#over.signal };
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate === null) this.#hasEnded = true;
      else if (candidate.type === 'relay') {
        this.#usable++;
        relayed(candidate);
      } else if (!relayOnly && candidate.candidate !== '') this.#usable++;
      if (isRestart && this.#usable > 0) this.#enoughSoon();
      this.#evaluate();
    }, listening);
    connection.addEventListener('icecandidateerror', event => this.#errors.push(event.errorCode), listening);
  }

  ends(isComplete: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#evaluate = () => {
        if (this.#signal.aborted) return reject(this.#signal.reason as Error);
        const state = gatheringState(this.#elapsed, this.#usable, this.#hasEnded && isComplete(), this.#enoughAt);
        if (state === 'enough') resolve();
        else if (state === 'failed') reject(turnProblem(this.#errors));
      };
      for (const limit of [enoughAfter, giveUpAfter]) this.#evaluateIn(limit - this.#elapsed);
      this.#signal.addEventListener('abort', this.#evaluate, { signal: this.#over.signal });
      this.#evaluate();
    });
  }

  get #elapsed(): number {
    return performance.now() - this.#started;
  }

  #enoughSoon(): void {
    if (this.#enoughAt < enoughAfter) return;
    this.#enoughAt = Math.min(enoughAfter, this.#elapsed + enoughAfterFirst);
    this.#evaluateIn(enoughAfterFirst);
  }

  #evaluateIn(duration: number): void {
    const timer = setTimeout(() => this.#evaluate(), duration + 1);
    this.#over.signal.addEventListener('abort', () => clearTimeout(timer));
  }

  close(): void {
    this.#over.abort();
  }
}
