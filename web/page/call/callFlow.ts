import type { Api, Timings } from './api.ts';
import type { Leg, LegEvents } from './leg.ts';
import { captureMedia, captureCamera, type Devices, generateMedia, generatePicture, isAllowed, stop } from './media.ts';
import { recordSteps } from './callSpans.ts';
import type { CallView, Phase } from './callView.ts';
import { isWithoutNetwork } from './network.ts';
import { Problem, problemOf } from './problem.ts';
import { untilReachable } from './reach.ts';
import { type MediaStatistics, summarise } from './statistics.ts';
import { Trace } from '../telemetry/trace.ts';
import { relayConfiguration, type Transport, type TurnToken } from './turn.ts';
import { Upkeep } from './upkeep.ts';

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

/**
 * How long each phase of a set-up may take, in milliseconds, if no shorter limit ends it. Only the user limits how long a permission
 * for the microphone takes. JsSIP ends an INVITE without an answer after 32 s, and the callee's page rings for 60 s.
 */
const limits: Partial<Record<Phase, number>> = { authorising: 20_000, connecting: 20_000, calling: 40_000, ringing: 90_000 };

/** One call from the click to the end: the eight steps of figure X.5.3.2-1, then what keeps it up. */
export class CallFlow {
  readonly trace: Trace;
  readonly #clicked = performance.now();
  readonly #api: Api;
  readonly #options: CallOptions;
  readonly #view: CallView;
  readonly #makeLeg: MakeLeg;
  readonly #ended = new AbortController();
  readonly #upkeep: Upkeep;
  #call: Leg | undefined;
  #media: MediaStream | undefined;
  #token: { token: TurnToken; received: number } | undefined;
  #step = 1;
  #relayed = false;
  #askedForToken: number | undefined;
  #isCaptured = false;
  #established = false;
  #statistics: MediaStatistics | undefined;
  #phaseLimit: ReturnType<typeof setTimeout> | undefined;

  /** `traceparent` is the caller's, if this page is the callee. */
  constructor(api: Api, options: CallOptions, view: CallView, makeLeg: MakeLeg, traceparent?: string) {
    this.trace = new Trace('set up call', traceparent, options.kind && { 'ims.call.kind': options.kind });
    this.#makeLeg = makeLeg;
    this.#api = api;
    this.#options = options;
    this.#view = recordSteps(view, this.trace, () => this.#statistics);
    this.#upkeep = this.#makeUpkeep();
  }

  async start(): Promise<void> {
    try {
      this.#phase('media');
      this.#begin(1);
      const capturing = this.#capture();
      capturing.catch(() => {});
      // A user who is asked may refuse, and then no token is necessary.
      if (!await this.#isCaptureAllowed()) await capturing;
      const [media, configuration] = await Promise.all([capturing, this.#authorise()]);
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
    this.#upkeep.resume();
  }

  mute(muted: boolean): void {
    this.#call?.mute(muted);
  }

  /** Another microphone or camera from now on. */
  async replace(track: MediaStreamTrack): Promise<void> {
    await this.#call?.replace(track);
  }

  /** Turns the camera on or off in a call. Resolves when the far end has agreed. */
  async turnCamera(on: boolean): Promise<void> {
    if (!this.#established || !this.#media) return;
    const { generated, devices } = this.#options;
    const track = !on ? undefined : generated ? generatePicture() : await captureCamera(devices);
    try {
      this.#ended.signal.throwIfAborted();
      await this.#call!.turnCamera(track);
      this.#view.localMedia(this.#media);
    } catch (thrown) {
      track?.stop();
      throw thrown;
    }
  }

  async statistics(): Promise<MediaStatistics | undefined> {
    const report = await this.#call?.statistics();
    if (report) this.#statistics = summarise(report.values());
    return report && this.#statistics;
  }

  // Step 1
  async #capture(): Promise<MediaStream> {
    const { video, generated, devices } = this.#options;
    const media = generated ? generateMedia(video) : await captureMedia(video, devices);
    this.#ended.signal.addEventListener('abort', () => stop(media));
    if (this.#ended.signal.aborted) stop(media);
    this.#ended.signal.throwIfAborted();
    this.#media = media;
    // The time of the token does not count twice.
    const [asked, came] = [this.#askedForToken, this.#token?.received];
    const now = performance.now();
    this.#view.step(1, 'done', (asked === undefined ? now : asked) - this.#clicked + (came === undefined ? 0 : now - came));
    this.#isCaptured = true;
    this.#view.localMedia(media);
    return media;
  }

  /** Whether the browser captures without asking the user. */
  async #isCaptureAllowed(): Promise<boolean> {
    const { video, generated } = this.#options;
    return generated || (await Promise.all((video ? ['microphone', 'camera'] : ['microphone']).map(isAllowed))).every(allowed => allowed);
  }

  // Steps 2 to 6
  async #authorise(): Promise<RTCConfiguration> {
    this.#phase('authorising');
    this.#askedForToken = performance.now();
    this.#begin(2);
    const { token, timings } = await this.#api.turnToken(this.trace, this.#ended.signal);
    this.#showServerSteps(timings);
    this.#token = { token, received: performance.now() };
    this.#showCredentials(token, performance.now(), 0);
    return this.#configurationOf(token);
  }

  #showServerSteps({ request, sessionCheck, waf, tokenMade, answer }: Timings): void {
    [request, sessionCheck, waf, tokenMade, answer].forEach((took, index) => this.#view.step(index + 2, 'done', took));
  }

  // Steps 7 and 8
  async #connect(media: MediaStream, configuration: RTCConfiguration): Promise<void> {
    this.#phase('connecting');
    this.#begin(7);
    const handed = performance.now();
    this.#call = this.#makeLeg(media, configuration, {
      onmedia: stream => this.#view.remoteMedia(stream),
      onpath: () => { if (this.#established) void this.#upkeep.checkPath(); },
      onphase: phase => this.#phase(phase),
      onhold: held => this.#view.held(held),
      onvideo: video => this.#view.video(video),
      onended: problem => this.#over(problem),
    }, this.trace);
    let allocating = handed;
    await this.#call.connect(
      () => {
        allocating = performance.now();
        this.#view.step(7, 'done', allocating - handed);
        this.#begin(8);
        void this.#checkNetwork();
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
    this.#phase('inCall');
    this.#upkeep.start(this.#token!.token, this.#token!.received);
  }

  /** Without a network a browser neither finds a candidate nor reports an error. */
  async #checkNetwork(): Promise<void> {
    if (!await isWithoutNetwork(() => this.#relayed || this.#ended.signal.aborted)) return;
    if (!this.#relayed) this.#fail(new Problem('no_network', { step: 8 }));
  }

  #phase(phase: Phase): void {
    clearTimeout(this.#phaseLimit);
    const limit = limits[phase];
    if (limit !== undefined) this.#phaseLimit = setTimeout(() => this.#fail(new Problem('set_up_timeout')), limit);
    this.#view.phase(phase);
  }

  /** The far end hung up, did not want the call, or cannot be reached. */
  #over(problem: Problem | undefined): void {
    if (this.#ended.signal.aborted) return;
    if (problem) this.#fail(problem);
    else this.hangUp();
  }

  #configurationOf(token: TurnToken): RTCConfiguration {
    return relayConfiguration(token, this.#options.transport, this.#options.relayOnly);
  }

  #begin(step: number): void {
    this.#step = step;
    this.#view.step(step, 'active');
  }

  /** The page shows when the credentials end, and not the credentials. */
  #showCredentials({ expires_in: lifetime }: TurnToken, received: number, renewals: number): void {
    this.#view.credentials({ expiresAt: received + lifetime * 1000, lifetime, renewals });
  }

  #makeUpkeep(): Upkeep {
    return new Upkeep({
      isCallee: this.#options.isCallee,
      isOnline: () => navigator.onLine,
      newToken: async signal => (await this.#api.turnToken(this.trace, signal)).token,
      configurationOf: token => this.#configurationOf(token),
      reach: untilReachable,
      sample: () => this.#call!.sample(),
      useConfiguration: configuration => this.#call!.useConfiguration(configuration),
      restart: (patience, notNeeded) => this.#call!.restart(patience, notNeeded),
    }, {
      onbegin: () => {
        const span = this.trace.begin('renew credentials');
        return error => this.trace.end(span, error);
      },
      oncredentials: (token, received, renewals) => this.#showCredentials(token, received, renewals),
      onlost: (giveUpAt, problem) => {
        this.#view.phase('interrupted');
        this.#view.interrupted(giveUpAt);
        this.#view.warning(problem, true);
      },
      onback: () => {
        this.#view.interrupted(undefined);
        this.#view.phase('inCall');
        this.#view.recovered();
      },
      onwarning: problem => this.#view.warning(problem, this.#upkeep.isLost),
      onrecovered: () => this.#view.recovered(),
      ongivenup: problem => this.#fail(problem),
    });
  }

  #fail(problem: Problem): void {
    if (this.#ended.signal.aborted) return;
    // After the relay is allocated the call can fail, but no step of the figure.
    const step = this.#established ? undefined : problem.step ?? (this.#relayed ? undefined : this.#step);
    if (step !== undefined) this.#showFailedStep(step);
    this.#end(problem.code === 'connection_lost');
    this.#view.failed(problem, step);
  }

  // Steps before the failed one are done, although no answer reported them.
  #showFailedStep(failed: number): void {
    if (failed > 1 && !this.#isCaptured) this.#view.step(1, 'done');
    for (let passed = this.#step; passed < failed; passed++) this.#view.step(passed, 'done');
    for (let later = failed + 1; later <= this.#step; later++) this.#view.step(later, 'skipped');
    this.#view.step(failed, 'failed');
  }

  #end(isLost = false): void {
    clearTimeout(this.#phaseLimit);
    this.#ended.abort();
    this.#upkeep.end();
    this.#call?.close(isLost);
  }
}
