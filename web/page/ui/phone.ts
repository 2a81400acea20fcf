import type { Alerts } from './alerts.ts';
import type { Api } from '../call/api.ts';
import { CallFlow, type MakeLeg } from '../call/callFlow.ts';
import type { CallView, Phase } from '../call/callView.ts';
import type { DeviceChoice } from './devices.ts';
import { find } from '../../shared/dom.ts';
import { Figures } from './figures.ts';
import { addressOf } from '../ims/addresses.ts';
import { DemoLine } from './demoLine.ts';
import type { IncomingCall, Registration } from '../ims/registration.ts';
import { SipCall } from '../ims/sipCall.ts';
import { StepLadder } from './stepLadder.ts';
import { story } from '../stage/story.ts';
import { LoopCall } from '../call/loopCall.ts';
import { captureMedia } from '../call/media.ts';
import { Problem, problemOf } from '../call/problem.ts';
import { Stage } from './stage.ts';
import { type MediaStatistics } from '../call/statistics.ts';
import { clock } from '../../shared/texts/formats.ts';
import { texts } from '../../shared/texts/language.ts';
import type { Tones } from './tones.ts';
import type { Transport } from '../call/turn.ts';

/** The other end of a call. */
type FarEnd =
  | { kind: 'echo' }
  | { kind: 'person'; address: string; name: string; isDemo: boolean }
  | { kind: 'caller'; call: IncomingCall };

const demoLineLimit = 10_000;

export interface PhoneEvents {
  /** The phase or what is possible in it changed. */
  onchange(): void;
  /** The session has ended. Ask the user to sign in, then go on. */
  onsignin(goOn: () => void): void;
}

/** The telephone on the page: one call at a time, outgoing or incoming, and where the page shows it. */
export class Phone {
  readonly #api: Api;
  readonly #alerts: Alerts;
  readonly #registration: Registration;
  readonly #devices: DeviceChoice;
  readonly #tones: Tones;
  readonly #events: PhoneEvents;
  readonly #figures = new Figures();
  readonly #stage = new Stage();
  readonly #ladder = new StepLadder(find('ladder'), find('lane-names'));
  #phase: Phase | 'idle' = 'idle';
  #flow: CallFlow | undefined;
  #farEnd: FarEnd = { kind: 'echo' };
  #call: SipCall | undefined;
  #incoming: IncomingCall | undefined;
  #demo: DemoLine | undefined;
  #connectedAt: number | undefined;
  #isBetween = false;
  #statistics: MediaStatistics | undefined;
  #problem: Problem | undefined;
  #giveUpAt: number | undefined;
  #sendsVideo = false;

  constructor(api: Api, alerts: Alerts, registration: Registration, devices: DeviceChoice, tones: Tones, events: PhoneEvents) {
    this.#api = api;
    this.#alerts = alerts;
    this.#registration = registration;
    this.#devices = devices;
    this.#tones = tones;
    this.#events = events;
    setInterval(() => void this.#eachSecond(), 1000);
  }

  get phase(): Phase | 'idle' {
    return this.#phase;
  }

  /** From the click to the end. */
  get isBusy(): boolean {
    return this.#isBetween || !['idle', 'ended', 'failed'].includes(this.#phase);
  }

  get isTalking(): boolean {
    return this.#phase === 'inCall' || this.#phase === 'interrupted';
  }

  get isWithPerson(): boolean {
    return this.#farEnd.kind !== 'echo';
  }

  get incoming(): IncomingCall | undefined {
    return this.#incoming;
  }

  get isTimed(): boolean {
    return this.#connectedAt !== undefined;
  }

  get traceId(): string {
    return this.#flow?.trace.id ?? '';
  }

  get statistics(): MediaStatistics | undefined {
    return this.#statistics;
  }

  get problem(): Problem | undefined {
    return this.#problem;
  }

  // --- Starting a call

  /** An empty address calls the echo. */
  dial(text: string): void {
    if (text.trim() === '') return this.#start({ kind: 'echo' });
    const identity = this.#registration.identity;
    const address = addressOf(text, identity?.realm ?? location.hostname);
    if (!identity) return this.#refuse(new Problem('not_registered'));
    if (!address) return this.#refuse(new Problem('address_invalid'));
    this.callPerson(address, text.trim());
  }

  callPerson(address: string, name: string): void {
    this.#start({ kind: 'person', address, name, isDemo: false });
  }

  async callDemoLine(): Promise<void> {
    const { identity } = this.#registration;
    if (this.isBusy || !identity) return;
    this.#alerts.clear();
    this.#isBetween = true;
    this.#showStatus(texts.status.demoLine);
    this.#events.onchange();
    const demo = this.#demo = new DemoLine(identity.impu);
    try {
      const { impu, name } = await demo.ready(demoLineLimit);
      if (this.#demo !== demo) return;
      this.#isBetween = false;
      this.#start({ kind: 'person', address: impu, name: texts.labels.demoLineOf(name), isDemo: true });
    } catch (thrown) {
      // The user may have given up in the meantime.
      if (this.#demo !== demo) return;
      this.#isBetween = false;
      this.#closeDemo();
      this.#refuse(problemOf(thrown), () => void this.callDemoLine());
    }
  }

  ring(call: IncomingCall): void {
    if (this.isBusy || this.#incoming) return call.session.terminate({ status_code: 486, reason_phrase: 'Busy Here' });
    this.#incoming = call;
    call.session.on('failed', ({ originator }) => {
      if (this.#incoming !== call) return;
      this.#stopRinging();
      if (originator === 'remote' as never) this.#showStatus(texts.labels.missed(call.caller.name));
    });
    this.#tones.ringing();
    this.#showStatus(texts.status.incoming);
    this.#events.onchange();
    find('accept').focus();
  }

  /** The callee chooses whether to send a picture. */
  accept(video: boolean, generated = false): void {
    const call = this.#incoming;
    if (!call || this.isBusy) return;
    this.#start({ kind: 'caller', call }, generated, video);
  }

  decline(): void {
    const call = this.#incoming;
    this.#stopRinging();
    this.#showStatus(texts.status.ready);
    call?.session.terminate({ status_code: 486, reason_phrase: 'Busy Here' });
    find('to').focus();
  }

  // --- During a call

  hangUp(): void {
    if (this.#isBetween) {
      this.#isBetween = false;
      this.#closeDemo();
      this.#setPhase('ended');
    }
    this.#flow?.hangUp();
  }

  resume(): void {
    this.#flow?.resume();
  }

  mute(muted: boolean): void {
    this.#flow?.mute(muted);
  }

  listen(on: boolean): void {
    this.#stage.listen(on);
  }

  async hold(on: boolean): Promise<void> {
    try {
      await this.#call?.hold(on);
    } catch (thrown) {
      if (this.isTalking) this.#alerts.show(problemOf(thrown));
    }
  }

  get sendsVideo(): boolean {
    return this.#sendsVideo;
  }

  async turnCamera(on: boolean): Promise<void> {
    try {
      await this.#flow?.turnCamera(on);
    } catch (thrown) {
      if (this.isTalking) this.#alerts.show(problemOf(thrown));
    }
  }

  key(key: string): void {
    this.#tones.key(key);
    if (this.isTalking) this.#call?.sendKey(key);
  }

  async changeDevice(kind: 'microphone' | 'camera' | 'speaker'): Promise<void> {
    if (kind === 'speaker') return this.#stage.speaker(this.#devices.chosen.speaker);
    if (!this.isTalking) return;
    try {
      const stream = await captureMedia(kind === 'camera', this.#devices.chosen);
      for (const track of stream.getTracks()) {
        if (track.kind === (kind === 'camera' ? 'video' : 'audio')) await this.#flow?.replace(track);
        else track.stop();
      }
    } catch (thrown) {
      this.#alerts.show(problemOf(thrown));
    }
  }

  /** Removes the last call from the page. */
  clear(): void {
    this.#ladder.reset();
    this.#figures.clear();
    this.#stage.clear();
    this.#connectedAt = undefined;
    this.#statistics = undefined;
    this.#problem = undefined;
    story.clear();
    find('trace-id').textContent = '';
    find('total').textContent = '';
    find('far-name').textContent = texts.labels.farEnd;
    for (const id of ['mute', 'listen', 'hold']) find(id).ariaPressed = 'false';
    this.#setPhase('idle');
  }

  /** Ends the call before the user changes. */
  close(): void {
    if (this.#incoming) this.decline();
    this.hangUp();
    this.#closeDemo();
  }

  // --- Inside

  #start(farEnd: FarEnd, generated = false, video = find<HTMLInputElement>('with-video').checked): void {
    if (this.isBusy) return;
    if (farEnd.kind !== 'echo' && this.#registration.state !== 'online') return this.#refuse(new Problem('not_registered'));
    this.#alerts.clear();
    this.clear();
    this.#devices.close();
    this.#farEnd = farEnd;
    this.#call = undefined;
    find('far-link').textContent = farEnd.kind === 'echo' ? texts.labels.echo : texts.labels.farRelay;
    if (farEnd.kind !== 'echo') find('far-name').textContent = this.#name;
    const options = {
      video,
      transport: find<HTMLSelectElement>('transport').value as Transport,
      relayOnly: farEnd.kind === 'echo' || find<HTMLInputElement>('relay-only').checked,
      devices: this.#devices.chosen,
      isCallee: farEnd.kind === 'caller',
      kind: farEnd.kind === 'caller' ? undefined : farEnd.kind === 'person' && farEnd.isDemo ? 'demo_line' as const : farEnd.kind,
      generated,
    };
    this.#showVideo({ here: video, there: false });
    void this.#stage.speaker(this.#devices.chosen.speaker);
    const started = new CallFlow(
      this.#api, options, story.record(this.#view(() => this.#flow === started, options)), this.#legOf(farEnd),
      farEnd.kind === 'caller' ? farEnd.call.traceparent : undefined);
    this.#flow = started;
    find('trace-id').textContent = started.trace.id;
    find<HTMLAnchorElement>('trace-link').href = `/flow/#/calls/${started.trace.id}`;
    void started.start();
    this.#events.onchange();
    find('hang-up').focus({ preventScroll: true });
    find('screen').scrollIntoView({ block: 'nearest' });
  }

  #legOf(farEnd: FarEnd): MakeLeg {
    if (farEnd.kind === 'echo') return (media, configuration, events) => new LoopCall(media, configuration, events);
    return (media, configuration, events, trace) => {
      const isOnline = () => this.#registration.state === 'online';
      const dialling = farEnd.kind === 'person'
        ? { isCallee: false, isOnline, begin: (options: object) => this.#registration.call(farEnd.address, options) }
        : { isCallee: true, isOnline, begin: (options: object) => {
            const { session } = farEnd.call;
            this.#stopRinging();
            if (session.isEnded()) return undefined;
            session.answer(options);
            return session;
          } };
      return this.#call = new SipCall(media, configuration, dialling, trace, events);
    };
  }

  /** Ignores events of a call that is no longer the current one. */
  #view(isCurrent: () => boolean, { generated, video }: { generated: boolean; video: boolean }): CallView {
    const farEnd = this.#farEnd;
    const view: CallView = {
      phase: phase => this.#setPhase(phase),
      step: (number, state, took) => this.#ladder.set(number, state, took),
      localMedia: stream => this.#stage.showNear(stream),
      remoteMedia: stream => {
        this.#stage.showFar(stream, farEnd.kind !== 'echo' || find('listen').ariaPressed === 'true');
      },
      relayed: candidate => this.#figures.relayed(candidate),
      held: ({ here, there }) => {
        find('hold').ariaPressed = String(here);
        find('stage').dataset.held = String(here || there);
        if (this.isTalking) this.#showStatus(here ? texts.status.heldHere : there ? texts.status.heldThere : texts.status.inCall);
      },
      video: shown => this.#showVideo(shown),
      interrupted: giveUpAt => this.#countDown(giveUpAt),
      connected: sinceClick => {
        this.#connectedAt = performance.now();
        find('total').textContent = this.#ladder.sum(sinceClick);
      },
      credentials: credentials => this.#figures.credentials(credentials),
      warning: (problem, interrupted) => {
        this.#problem = problem;
        this.#alerts.show(problem, problem.asksToSignIn ? {} : { retry: () => this.resume() }, interrupted && !problem.asksToSignIn);
        if (problem.asksToSignIn) this.#events.onsignin(() => this.resume());
      },
      recovered: () => {
        this.#alerts.clear();
        this.#showStatus(texts.status.inCall);
        this.#events.onchange();
      },
      failed: (problem, step) => {
        if (step !== undefined) find('total').textContent = texts.labels.failedAt(step);
        this.#failed(problem, farEnd, generated, video);
      },
    };
    return Object.fromEntries(Object.entries(view).map(([name, handler]) =>
      [name, (...values: unknown[]) => { if (isCurrent()) (handler as (...values: unknown[]) => void)(...values); }])) as unknown as CallView;
  }

  #failed(problem: Problem, farEnd: FarEnd, generated: boolean, video: boolean): void {
    this.#problem = problem;
    // A caller who still waits can be answered again.
    const again = farEnd.kind === 'caller'
      ? this.#incoming && ((withTone: boolean) => this.accept(video, withTone))
      : farEnd.kind === 'person' && farEnd.isDemo
        ? () => void this.callDemoLine()
        : (withTone: boolean) => this.#start(farEnd, withTone, video);
    this.#setPhase('failed');
    this.#alerts.show(problem, problem.asksToSignIn || !again ? {} : { retry: () => again(generated), useTone: () => again(true) });
    if (problem.asksToSignIn) this.#events.onsignin(() => again?.(generated));
    else if (again) find('retry').focus();
    if (farEnd.kind !== 'echo' && (problem.code === 'busy' || problem.code === 'declined')) this.#tones.busy();
  }

  /** A problem before there is a call. */
  #refuse(problem: Problem, retry?: () => void): void {
    this.#problem = problem;
    this.#setPhase('failed');
    this.#alerts.show(problem, retry ? { retry } : {});
  }

  #stopRinging(): void {
    this.#incoming = undefined;
    this.#tones.stop();
    this.#events.onchange();
  }

  #closeDemo(): void {
    this.#demo?.close();
    this.#demo = undefined;
  }

  get #name(): string {
    return this.#farEnd.kind === 'person' ? this.#farEnd.name : this.#farEnd.kind === 'caller' ? this.#farEnd.call.caller.name : '';
  }

  #setPhase(next: Phase | 'idle'): void {
    const hadFocus = document.activeElement?.closest('.controls') !== null;
    this.#phase = next;
    find('stage').dataset.phase = next;
    if (next === 'ringing') this.#tones.ringback();
    else if (!this.#incoming) this.#tones.stop();
    if (next === 'media' && find<HTMLInputElement>('with-video').checked) this.#showStatus(texts.status.mediaVideo);
    else this.#showStatus(next === 'idle' ? texts.status.ready : texts.status[next]);
    if (next === 'ended' || next === 'failed') {
      find('stage').dataset.held = 'false';
      this.#countDown(undefined);
      this.#showVideo({ here: false, there: false });
      this.#stage.clear();
      this.#figures.stop();
      this.#closeDemo();
    }
    if (next === 'ended') this.#alerts.clear();
    this.#events.onchange();
    if (next === 'ended' && hadFocus) find('call').focus();
  }

  /** The picture of either side: both, one or none. */
  #showVideo({ here, there }: { here: boolean; there: boolean }): void {
    this.#sendsVideo = here;
    Object.assign(find('stage').dataset, { video: String(here || there), nearVideo: String(here), farVideo: String(there) });
    this.#events.onchange();
  }

  /** Until an interrupted call is given up. */
  #countDown(giveUpAt: number | undefined): void {
    this.#giveUpAt = giveUpAt;
    this.#showCountdown();
  }

  #showCountdown(): void {
    const giveUpAt = this.#giveUpAt;
    const left = giveUpAt === undefined ? undefined : Math.max(0, Math.ceil((giveUpAt - performance.now()) / 1000));
    find('give-up').hidden = left === undefined;
    find('give-up').textContent = left === undefined ? '' : texts.labels.triesFor(clock(left));
  }

  #showStatus(text: string): void {
    const isOfCall = this.isWithPerson && ['calling', 'ringing', 'inCall', 'interrupted'].includes(this.#phase);
    const line = isOfCall ? `${text.replace(/…$/, '')} · ${this.#name}` : text;
    if (find('status').textContent !== line) find('status').textContent = line;
  }

  async #eachSecond(): Promise<void> {
    this.#figures.tick();
    this.#showCountdown();
    if (!this.#flow || this.#connectedAt === undefined || !this.isBusy) return;
    find('call-timer').textContent = clock((performance.now() - this.#connectedAt) / 1000);
    const current = this.#flow;
    const statistics = await current.statistics();
    if (!statistics || this.#flow !== current || !this.isBusy) return;
    this.#statistics = statistics;
    this.#figures.show(statistics);
    if (this.#phase === 'inCall' && statistics.local && statistics.local.type !== 'relay' && find('stage').dataset.held !== 'true') this.#showStatus(texts.status.inCallDirect);
  }
}
