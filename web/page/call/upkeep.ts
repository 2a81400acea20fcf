import { PathWatch, type PathSample, sampleEvery, sampleEveryWhenLost } from './pathWatch.ts';
import { Problem, problemOf } from './problem.ts';
import { backOff, calleeRenewal, renewAfter } from './schedule.ts';
import { othersFirst, type TurnToken } from './turn.ts';

/** What keeping a call up needs of the call and of the page. */
export interface UpkeepParts {
  isCallee: boolean;
  isOnline(): boolean;
  newToken(signal: AbortSignal): Promise<TurnToken>;
  configurationOf(token: TurnToken): RTCConfiguration;
  /** Resolves when the TURN server gives an allocation. */
  reach(configuration: RTCConfiguration, signal: AbortSignal): Promise<void>;
  sample(): Promise<PathSample | undefined>;
  useConfiguration(configuration: RTCConfiguration): void;
  restart(patience: number, signal: AbortSignal): Promise<void>;
}

export interface UpkeepEvents {
  /** A renewal or a restoration began. The result ends its span. */
  onbegin(): (error?: string) => void;
  oncredentials(token: TurnToken, received: number, renewals: number): void;
  /** The path is lost; the call is given up at this time. */
  onlost(giveUpAt: number, problem: Problem): void;
  onback(): void;
  /** A renewal failed, and the path is not lost. The next try follows. */
  onwarning(problem: Problem): void;
  onrecovered(): void;
  ongivenup(problem: Problem): void;
}

const giveUpAfter = 60_000;
/** The callee waits longer, so the caller's BYE has the reason and the callee sends none. */
const calleeWaitsLonger = 2_000;
/** How long the callee waits for the caller's restart when the path is lost. */
const patienceWhenLost = 3_000;
/** How long media may take after a restart. */
const mediaLimit = 4_000;
const pauseWhenLost = 500;
/** How long the other side's answer may take when media is back already. */
const answerLimit = 2_000;

/**
 * Keeps a call that is set up alive: it renews the TURN credentials before they expire, watches the path, and restores it. The caller
 * restarts ICE. The callee does so only if the caller does not, because two restarts collide (491).
 */
export class Upkeep {
  readonly #parts: UpkeepParts;
  readonly #events: UpkeepEvents;
  readonly #time: () => number;
  readonly #ended = new AbortController();
  readonly #watch = new PathWatch();
  #renewals = 0;
  /** The TURN server on the path. */
  #relay: string | undefined;
  #isRenewing = false;
  #isSampling = false;
  #renewalTimer: ReturnType<typeof setTimeout> | undefined;
  #sampleTimer: ReturnType<typeof setTimeout> | undefined;
  #endPause = () => {};
  #pathIsBack = () => {};
  #lost: AbortController | undefined;

  constructor(parts: UpkeepParts, events: UpkeepEvents, time: () => number = () => performance.now()) {
    this.#parts = parts;
    this.#events = events;
    this.#time = time;
  }

  get isLost(): boolean {
    return this.#watch.isLost;
  }

  /** The call is up, with credentials that came at this time. */
  start(token: TurnToken, received: number): void {
    this.#keep(token, received);
    this.#sampleIn(sampleEvery);
  }

  end(): void {
    clearTimeout(this.#renewalTimer);
    clearTimeout(this.#sampleTimer);
    this.#ended.abort(new Problem('cancelled'));
    this.#endPause();
  }

  /** Ends the pause before the next try, for example after the user signed in again. */
  resume(): void {
    this.#endPause();
  }

  /** The browser reports a change of the path. */
  async checkPath(): Promise<void> {
    if (this.#isSampling || this.#ended.signal.aborted) return;
    this.#isSampling = true;
    clearTimeout(this.#sampleTimer);
    try {
      const sample = await this.#parts.sample();
      if (this.#ended.signal.aborted) return;
      const changed = sample && this.#watch.update(this.#time(), sample);
      if (!this.isLost) this.#relay = sample?.relay;
      if (changed === 'lost') void this.#restore();
      if (changed === 'back') this.#pathIsBack();
    } finally {
      this.#isSampling = false;
      this.#sampleIn(this.#watch.isLost ? sampleEveryWhenLost : sampleEvery);
    }
  }

  #sampleIn(duration: number): void {
    clearTimeout(this.#sampleTimer);
    if (!this.#ended.signal.aborted) this.#sampleTimer = setTimeout(() => void this.checkPath(), duration);
  }

  #keep(token: TurnToken, received: number): void {
    const lifetime = token.expires_in;
    this.#events.oncredentials(token, received, this.#renewals);
    clearTimeout(this.#renewalTimer);
    if (this.#ended.signal.aborted) return;
    const after = this.#parts.isCallee ? calleeRenewal(lifetime).after : renewAfter(lifetime, Math.random());
    this.#renewalTimer = setTimeout(() => void this.#renew(), received + after * 1000 - this.#time());
  }

  /** New credentials for a call whose path works. Retries until it has them, the call ends, or the path is lost. */
  async #renew(): Promise<void> {
    if (this.#isRenewing) return;
    if (this.isLost) {
      this.#renewalTimer = setTimeout(() => void this.#renew(), sampleEvery);
      return;
    }
    this.#isRenewing = true;
    const { signal } = this.#ended;
    const finish = this.#events.onbegin();
    let problem: Problem | undefined;
    for (let attempt = 0; !signal.aborted && !this.isLost; attempt++) {
      try {
        const token = await this.#parts.newToken(signal);
        const received = this.#time();
        this.#parts.useConfiguration(this.#parts.configurationOf(token));
        await this.#parts.restart(calleeRenewal(token.expires_in).patience * 1000, signal);
        this.#renewals++;
        this.#keep(token, received);
        if (!this.isLost) this.#events.onrecovered();
        problem = undefined;
        break;
      } catch (thrown) {
        if (signal.aborted || this.isLost) break;
        problem = problemOf(thrown);
        this.#events.onwarning(problem);
        await this.#pause(Math.max(backOff(attempt), problem.retryAfter ?? 0) * 1000, signal);
      }
    }
    // A hang-up during the renewal is not a failure.
    finish(problem?.code);
    this.#isRenewing = false;
  }

  /** Restores a lost path within a minute, or gives the call up. */
  async #restore(): Promise<void> {
    if (this.#lost) return;
    const lost = this.#lost = new AbortController();
    this.#endPause();
    const duration = giveUpAfter + (this.#parts.isCallee ? calleeWaitsLonger : 0);
    let problem = new Problem(this.#parts.isOnline() ? 'connection_interrupted' : 'no_network');
    const finish = this.#events.onbegin();
    this.#events.onlost(this.#time() + duration, problem);
    const limit = setTimeout(() => lost.abort(new Problem('connection_lost')), duration);
    const signal = AbortSignal.any([this.#ended.signal, lost.signal]);
    const returned = new AbortController();
    const back = new Promise<undefined>(resolve => {
      this.#pathIsBack = () => {
        returned.abort();
        resolve(undefined);
      };
    });
    signal.addEventListener('abort', () => this.#pathIsBack(), { once: true });

    let token: TurnToken | undefined;
    const lostRelay = this.#relay;
    while (!signal.aborted && this.isLost) {
      try {
        const isNew = token === undefined;
        token ??= await Promise.race([this.#parts.newToken(signal), back]);
        if (!token || !this.isLost) break;
        const received = this.#time();
        const configuration = othersFirst(this.#parts.configurationOf(token), lostRelay);
        this.#parts.useConfiguration(configuration);
        if (this.#parts.isOnline()) problem = new Problem('turn_unreachable', { step: 8 });
        await Promise.race([this.#parts.reach(configuration, signal), back]);
        if (signal.aborted || !this.isLost) break;
        // Media may be back before the other side has answered. The call is restored when both are true.
        const restarting = this.#parts.restart(patienceWhenLost, returned.signal);
        const isRestarted = await Promise.race([restarting.then(() => true), back.then(() => this.#pause(answerLimit, signal)).then(() => false)]);
        if (isRestarted && isNew) {
          this.#renewals++;
          this.#keep(token, received);
        }
        await Promise.race([back, this.#pause(mediaLimit, signal)]);
        problem = new Problem('no_media_path', { step: 8 });
      } catch (thrown) {
        if (signal.aborted) break;
        problem = problemOf(thrown);
        // A new server may not know the credentials any more.
        if (problem.step === 8) token = undefined;
        if (problem.asksToSignIn) this.#events.onwarning(problem);
        await Promise.race([back, this.#pause(Math.max(pauseWhenLost, (problem.retryAfter ?? 0) * 1000), signal)]);
      }
    }

    clearTimeout(limit);
    this.#lost = undefined;
    const isRestored = !this.isLost;
    // The user or the other side ended the call because of this, so it is the failure of the call.
    finish(isRestored ? undefined : problem.code);
    if (this.#ended.signal.aborted) return;
    if (isRestored) this.#events.onback();
    else this.#events.ongivenup(new Problem('connection_lost', { detail: problem.code }));
  }

  #pause(duration: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, duration);
      if (signal.aborted) return end();
      signal.addEventListener('abort', end, { once: true });
      this.#endPause = end;
    });
  }
}
