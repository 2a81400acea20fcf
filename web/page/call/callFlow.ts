import type { Api, Timings } from './api.ts';
import type { Leg, LegEvents } from './leg.ts';
import { captureMedia, type Devices, generateMedia, stop } from './media.ts';
import { recordSteps } from './callSpans.ts';
import type { CallView } from './callView.ts';
import { Problem, problemOf } from './problem.ts';
import { backOff, calleeRenewal, renewAfter } from './schedule.ts';
import { type MediaStatistics, summarise } from './statistics.ts';
import { Trace } from '../telemetry/trace.ts';
import { relayConfiguration, type Transport, type TurnToken } from './turn.ts';

export interface CallOptions {
  video: boolean;
  transport: Transport;
  relayOnly: boolean;
  devices: Devices;
  /** True if the far end called. The far end then restarts ICE. */
  isCallee: boolean;
  /** The kind of callee; undefined if this page is the callee. */
  kind?: 'echo' | 'person' | 'demo_line' | undefined;
  /** Generated tone and picture in place of microphone and camera. */
  generated: boolean;
}

/** Makes the call from the captured media and the relay's credentials. */
export type MakeLeg = (media: MediaStream, configuration: RTCConfiguration, events: LegEvents, trace: Trace) => Leg;

const giveUpAfter = 60_000;
const patienceWhenLost = 2_000;

/**
 * One call from the click to the end: the eight steps of figure X.5.3.2-1, then renewal of the credentials before they expire
 * and at once when the path breaks.
 */
export class CallFlow {
  readonly trace: Trace;
  readonly #clicked = performance.now();
  readonly #api: Api;
  readonly #options: CallOptions;
  readonly #view: CallView;
  readonly #makeLeg: MakeLeg;
  readonly #ended = new AbortController();
  #call: Leg | undefined;
  #step = 1;
  #relayed = false;
  #established = false;
  #renewals = 0;
  #renewing = false;
  #lostSince: number | undefined;
  #renewalTimer: ReturnType<typeof setTimeout> | undefined;
  #endPause = () => {};

  /** `traceparent` is the caller's, if this page is the callee. */
  constructor(api: Api, options: CallOptions, view: CallView, makeLeg: MakeLeg, traceparent?: string) {
    this.trace = new Trace('set up call', traceparent, options.kind && { 'ims.call.kind': options.kind });
    this.#makeLeg = makeLeg;
    this.#api = api;
    this.#options = options;
    this.#view = recordSteps(view, this.trace);
  }

  async start(): Promise<void> {
    try {
      const media = await this.#media();
      const configuration = await this.#authorise();
      await this.#connect(media, configuration);
    } catch (thrown) {
      if (!this.#ended.signal.aborted) this.#fail(problemOf(thrown));
    }
  }

  hangUp(): void {
    this.#end();
    this.#view.phase('ended');
  }

  /** Ends the pause before the next try, for example after the user signed in again. */
  resume(): void {
    this.#endPause();
  }

  mute(muted: boolean): void {
    this.#call?.mute(muted);
  }

  /** Another microphone or camera from now on. */
  async replace(track: MediaStreamTrack): Promise<void> {
    await this.#call?.replace(track);
  }

  async statistics(): Promise<MediaStatistics | undefined> {
    const report = await this.#call?.statistics();
    return report && summarise(report.values());
  }

  // Step 1
  async #media(): Promise<MediaStream> {
    this.#view.phase('media');
    this.#begin(1);
    const { video, generated, devices } = this.#options;
    const media = generated ? generateMedia(video) : await captureMedia(video, devices);
    this.#ended.signal.addEventListener('abort', () => stop(media));
    if (this.#ended.signal.aborted) stop(media);
    this.#ended.signal.throwIfAborted();
    this.#view.step(1, 'done', performance.now() - this.#clicked);
    this.#view.localMedia(media);
    return media;
  }

  // Steps 2 to 6
  async #authorise(): Promise<RTCConfiguration> {
    this.#view.phase('authorising');
    this.#begin(2);
    const { token, timings } = await this.#api.turnToken(this.trace, this.#ended.signal);
    this.#showServerSteps(timings);
    this.#keep(token, performance.now());
    this.#begin(7);
    return this.#configuration(token);
  }

  #showServerSteps({ request, sessionCheck, waf, tokenMade, answer }: Timings): void {
    [request, sessionCheck, waf, tokenMade, answer].forEach((took, index) => this.#view.step(index + 2, 'done', took));
  }

  // Steps 7 and 8
  async #connect(media: MediaStream, configuration: RTCConfiguration): Promise<void> {
    this.#view.phase('connecting');
    const handed = performance.now();
    this.#call = this.#makeLeg(media, configuration, {
      onmedia: stream => this.#view.remoteMedia(stream),
      onpath: state => this.#path(state),
      onphase: phase => this.#view.phase(phase),
      onhold: held => this.#view.held(held),
      onended: problem => this.#over(problem),
    }, this.trace);
    let allocating = handed;
    await this.#call.connect(
      () => {
        allocating = performance.now();
        this.#view.step(7, 'done', allocating - handed);
        this.#begin(8);
      },
      candidate => {
        this.#relayed = true;
        this.#view.step(8, 'done', performance.now() - allocating);
        this.#view.relayed(candidate, performance.now() - this.#clicked);
      });
    // Without a relay the path is direct. The user allowed that.
    if (!this.#relayed) this.#view.step(8, 'skipped');
    this.#established = true;
    this.#view.connected(performance.now() - this.#clicked);
    this.#view.phase('inCall');
  }

  /** The far end hung up, did not want the call, or cannot be reached. */
  #over(problem: Problem | undefined): void {
    if (this.#ended.signal.aborted) return;
    if (problem) this.#fail(problem);
    else this.hangUp();
  }

  #configuration(token: TurnToken): RTCConfiguration {
    return relayConfiguration(token, this.#options.transport, this.#options.relayOnly);
  }

  #begin(step: number): void {
    this.#step = step;
    this.#view.step(step, 'active');
  }

  /** Remembers when the credentials end (not the credentials) and renews them before. */
  #keep(token: TurnToken, received: number): void {
    const lifetime = token.expires_in;
    this.#view.credentials({ expiresAt: received + lifetime * 1000, lifetime, renewals: this.#renewals });
    clearTimeout(this.#renewalTimer);
    const after = this.#options.isCallee ? calleeRenewal(lifetime).after : renewAfter(lifetime, Math.random());
    this.#renewalTimer = setTimeout(() => void this.#renew(), received + after * 1000 - performance.now());
  }

  #path(state: 'lost' | 'back'): void {
    if (state === 'back') {
      if (this.#lostSince === undefined) return;
      this.#lostSince = undefined;
      this.#view.phase('inCall');
      if (!this.#renewing) this.#view.recovered();
      return;
    }
    // While connecting, connect() reports the failure.
    if (this.#lostSince !== undefined || !this.#established) return;
    this.#lostSince = performance.now();
    this.#view.phase('interrupted');
    this.#view.warning(new Problem('connection_interrupted'), true);
    this.resume();
    void this.#renew();
  }

  /** Gets new credentials for the running call. Retries until it has them, the call ends, or the path was lost for a minute. */
  async #renew(): Promise<void> {
    if (this.#renewing || !this.#established) return;
    this.#renewing = true;
    for (let attempt = 0; !this.#ended.signal.aborted; attempt++) {
      const renewing = this.trace.begin('renew credentials');
      try {
        const { token } = await this.#api.turnToken(this.trace, this.#ended.signal);
        const received = performance.now();
        const patience = this.#lostSince === undefined ? calleeRenewal(token.expires_in).patience * 1000 : patienceWhenLost;
        await this.#call!.renew(this.#configuration(token), patience);
        this.#renewals++;
        this.#keep(token, received);
        this.#view.recovered();
        this.trace.end(renewing);
        break;
      } catch (thrown) {
        const problem = problemOf(thrown);
        // A hang-up during the renewal is not a failure.
        this.trace.end(renewing, this.#ended.signal.aborted ? undefined : problem.code);
        if (this.#ended.signal.aborted) break;
        if (this.#lostSince !== undefined && performance.now() - this.#lostSince > giveUpAfter) {
          this.#fail(new Problem('connection_lost'));
          break;
        }
        this.#view.warning(problem, this.#lostSince !== undefined);
        await this.#pause(Math.max(backOff(attempt), problem.retryAfter ?? 0));
      }
    }
    this.#renewing = false;
  }

  #pause(seconds: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, seconds * 1000);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #fail(problem: Problem): void {
    if (this.#ended.signal.aborted) return;
    // After the relay is allocated the call can fail, but no step of the figure.
    const step = this.#established ? undefined : problem.step ?? (this.#relayed ? undefined : this.#step);
    if (step !== undefined) this.#showFailedStep(step);
    this.#end();
    this.#view.failed(problem, step);
  }

  // Steps before the failed one are done, although no answer reported them.
  #showFailedStep(failed: number): void {
    for (let passed = this.#step; passed < failed; passed++) this.#view.step(passed, 'done');
    this.#view.step(failed, 'failed');
  }

  #end(): void {
    clearTimeout(this.#renewalTimer);
    this.#ended.abort();
    this.#endPause();
    this.#call?.close();
  }
}
