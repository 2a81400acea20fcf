/** What a call receives at one moment. */
export interface PathSample {
  /** Packets that have arrived so far, of any kind. */
  packets: number;
  /** False while one of the two sides holds the call: then nothing has to arrive. */
  isExpected: boolean;
  /** What the browser says of the path. */
  state: 'connected' | 'broken' | 'unknown';
  /** The URL of the TURN server on the path. */
  relay?: string | undefined;
}

/** Sound sends 50 packets a second. So this long a silence is an interruption, and is noticed within three seconds. */
export const silenceLimit = 1_750;
/** The browser calls a path broken after five seconds or more, or at once after a refusal. */
const brokenLimit = 500;

export const sampleEvery = 250;
export const sampleEveryWhenLost = 100;

/** Decides from samples whether the path of a call is lost. Times in milliseconds. */
export class PathWatch {
  #packets = 0;
  #arrivedAt: number | undefined;
  #isLost = false;

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Returns what changed, if anything. */
  update(now: number, { packets, isExpected, state }: PathSample): 'lost' | 'back' | undefined {
    const hasArrived = packets !== this.#packets;
    this.#packets = packets;
    // The time of a hold is not a silence.
    if (hasArrived || this.#arrivedAt === undefined || (!isExpected && state !== 'broken')) this.#arrivedAt = now;
    if (this.#isLost) return hasArrived || (!isExpected && state === 'connected') ? this.#change(false) : undefined;
    const silence = now - this.#arrivedAt;
    const isLost = (isExpected && silence >= silenceLimit) || (state === 'broken' && silence >= (isExpected ? brokenLimit : 0));
    return isLost ? this.#change(true) : undefined;
  }

  #change(isLost: boolean): 'lost' | 'back' {
    this.#isLost = isLost;
    return isLost ? 'lost' : 'back';
  }
}
