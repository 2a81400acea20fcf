import { Problem } from '../call/problem.ts';

/** One end of a SIP call, as far as re-INVITEs concern it. */
export interface Dialogue {
  /** The caller chose the Call-ID, so it owns it. */
  readonly isOwner: boolean;
  /** Whether no other offer of either side is under way. */
  isReady(): boolean;
  /** Makes an offer, with its candidates. */
  offer(): Promise<string>;
  /** Sends the offer and returns the final response. A response without a status: there was none. */
  send(sdp: string): Promise<{ status: number | undefined; sdp: string }>;
  accept(sdp: string): Promise<void>;
  /** Takes the offer back. */
  rollBack(): Promise<void>;
}

const readyLimit = 10_000;
const readyEvery = 50;
const maxCollisions = 8;

/** The pause after a 491, in milliseconds, by RFC 3261 §14.1: longer for the owner of the Call-ID, so the two sides do not meet again. */
export function pauseAfterCollision(isOwner: boolean, random: number): number {
  const [shortest, longest] = isOwner ? [2_100, 4_000] : [0, 2_000];
  return Math.round((shortest + random * (longest - shortest)) / 10) * 10;
}

/**
 * Re-INVITEs of this side, one after the other. A refused or unanswered one is taken back and does not end the call (RFC 3261 §14.1).
 * Only a 481 does, because the other side no longer knows the call.
 */
export class Negotiation {
  readonly #dialogue: Dialogue;
  readonly #signal: AbortSignal;
  readonly #random: () => number;
  #last: Promise<unknown> = Promise.resolve();
  #isOffering = false;

  constructor(dialogue: Dialogue, signal: AbortSignal, random = Math.random) {
    this.#dialogue = dialogue;
    this.#signal = signal;
    this.#random = random;
  }

  /** Whether an offer of the other side must wait: 491. */
  get isOffering(): boolean {
    return this.#isOffering;
  }

  /** `prepare` changes what is offered, before each try. It returns false if no offer is necessary any more. */
  change(prepare: () => boolean | Promise<boolean>): Promise<void> {
    const running = this.#last.then(() => this.#run(prepare));
    this.#last = running.catch(() => {});
    return running;
  }

  async #run(prepare: () => boolean | Promise<boolean>): Promise<void> {
    for (let collisions = 0; collisions < maxCollisions; collisions++) {
      await this.#ready();
      if (!await prepare()) return;
      const status = await this.#try();
      if (status === undefined) throw new Problem('negotiation_failed');
      if (status < 300) return;
      if (status === 481) throw new Problem('call_gone', { detail: 'SIP 481' });
      if (status !== 491) throw new Problem('negotiation_failed', { detail: `SIP ${status}` });
      await this.#pause(pauseAfterCollision(this.#dialogue.isOwner, this.#random()));
    }
    throw new Problem('negotiation_failed', { detail: 'SIP 491' });
  }

  /** Returns the status of the final response, if there was one. */
  async #try(): Promise<number | undefined> {
    this.#isOffering = true;
    let isAccepted = false;
    try {
      const answer = await this.#dialogue.send(await this.#dialogue.offer());
      if (answer.status !== undefined && answer.status < 300) {
        await this.#dialogue.accept(answer.sdp);
        isAccepted = true;
      }
      return answer.status;
    } finally {
      if (!isAccepted && !this.#signal.aborted) await this.#dialogue.rollBack().catch(() => {});
      this.#isOffering = false;
    }
  }

  async #ready(): Promise<void> {
    for (let waited = 0; !this.#dialogue.isReady(); waited += readyEvery) {
      if (waited >= readyLimit) throw new Problem('negotiating');
      await this.#pause(readyEvery);
    }
    this.#signal.throwIfAborted();
  }

  #pause(duration: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        clearTimeout(timer);
        reject(this.#signal.reason as Error);
      };
      const timer = setTimeout(() => {
        this.#signal.removeEventListener('abort', abort);
        resolve();
      }, duration);
      if (this.#signal.aborted) abort();
      else this.#signal.addEventListener('abort', abort, { once: true });
    });
  }
}
