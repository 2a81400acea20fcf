import type { Alerts } from './alerts.ts';
import type { Api } from '../call/api.ts';
import { CallFlow, type MakeLeg } from '../call/callFlow.ts';
import type { Phase } from '../call/callView.ts';
import { LoopCall } from '../call/loopCall.ts';
import { captureMedia } from '../call/media.ts';
import { Problem, problemOf } from '../call/problem.ts';
import type { MediaStatistics } from '../call/statistics.ts';
import type { Transport } from '../call/turn.ts';
import { isSameAddress } from '../ims/addresses.ts';
import type { IncomingCall, Registration } from '../ims/registration.ts';
import type { CallHistory, PastCall } from '../phone/history.ts';
import { type FarEnd, Line, type LineEvents } from '../phone/line.ts';
import type { Names } from '../phone/names.ts';
import { ringTime } from '../phone/ringing.ts';
import { sipLeg } from '../phone/sipLeg.ts';
import { find } from '../../shared/dom.ts';
import { texts } from '../../shared/texts/language.ts';
import { story } from '../stage/story.ts';
import { DemoCalls } from './demoCalls.ts';
import type { DeviceChoice } from './devices.ts';
import { Incoming } from './incoming.ts';
import { Lines } from './lines.ts';
import type { Tones } from './tones.ts';
import { Transfers } from './transfers.ts';

export interface PhoneEvents {
  /** The phase or what is possible in it changed. */
  onchange(): void;
  /** A call is over. */
  onhistory(): void;
  /** The session has ended. Ask the user to sign in, then go on. */
  onsignin(goOn: () => void): void;
}

export interface PhoneParts {
  api: Api;
  alerts: Alerts;
  registration: Registration;
  devices: DeviceChoice;
  tones: Tones;
  names: Names;
  history: CallHistory;
}

/** The telephone on the page: calls that go out and come in, and how they end. */
export class Phone {
  readonly #parts: PhoneParts;
  readonly #events: PhoneEvents;
  readonly #lines: Lines;
  readonly #incoming: Incoming;
  readonly #transfers: Transfers;
  readonly #demo = new DemoCalls();

  constructor(parts: PhoneParts, events: PhoneEvents) {
    this.#parts = parts;
    this.#events = events;
    this.#lines = new Lines(parts.alerts, parts.tones, () => this.#incoming.ringing !== undefined, () => this.#events.onchange());
    this.#incoming = new Incoming(this.#lines, parts.tones, parts.names, {
      isBusy: () => this.isBusy,
      answer: (call, video, generated) => { this.#start({ kind: 'caller', call }, generated, video); },
      hangUp: () => this.hangUp(),
      remember: call => this.#remember(call),
      onchange: () => this.#events.onchange(),
    });
    this.#transfers = new Transfers(
      this.#lines, parts.names, parts.alerts, (farEnd, generated) => this.#start(farEnd, generated), () => this.#events.onchange());
    setInterval(() => void this.#eachSecond(), 1000);
  }

  get phase(): Phase | 'idle' {
    return this.#lines.phase;
  }

  /** From the click to the end. */
  get isBusy(): boolean {
    return this.#demo.isOpening || this.#lines.hasCall;
  }

  get isTalking(): boolean {
    return this.line?.isTalking === true;
  }

  get isWithPerson(): boolean {
    return this.line?.isWithPerson === true;
  }

  /** The call that rings, unless it is being answered. */
  get incoming(): IncomingCall | undefined {
    return this.#incoming.offered;
  }

  /** The line that the page shows. */
  get line(): Line | undefined {
    return this.#lines.shown;
  }

  /** The line on hold beside it. */
  get other(): Line | undefined {
    return this.#lines.other;
  }

  get isTimed(): boolean {
    return this.#lines.isTimed;
  }

  get traceId(): string {
    return this.line?.flow?.trace.id ?? '';
  }

  get statistics(): MediaStatistics | undefined {
    return this.line?.statistics;
  }

  get problem(): Problem | undefined {
    return this.#lines.problem;
  }

  // --- Starting a call

  /** An empty text calls the echo. */
  dial(text: string): void {
    if (text.trim() === '') return void this.#start({ kind: 'echo' });
    const { identity } = this.#parts.registration;
    const address = this.#parts.names.find(text, identity?.realm ?? location.hostname);
    if (!identity) return this.#refuse(new Problem('not_registered'));
    if (!address) return this.#refuse(new Problem('address_invalid'));
    this.callPerson(address);
  }

  callPerson(address: string): void {
    const { identity } = this.#parts.registration;
    if (identity && isSameAddress(address, identity.impu)) return this.#refuse(new Problem('call_yourself'));
    this.#start({ kind: 'person', address, name: this.#parts.names.of(address), isDemo: false });
  }

  callAgain(call: PastCall): void {
    if (call.kind === 'echo') this.#start({ kind: 'echo' });
    else if (call.kind === 'demo_line') void this.callDemoLine();
    else if (call.impu) this.callPerson(call.impu);
  }

  async callDemoLine(): Promise<void> {
    const { identity } = this.#parts.registration;
    if (this.isBusy || !identity) return;
    this.#lines.clear();
    const opening = this.#demo.open(identity.impu);
    this.#lines.write(texts.status.demoLine);
    this.#events.onchange();
    try {
      const ready = await opening;
      if (ready) this.#start({ kind: 'person', address: ready.impu, name: texts.labels.demoLineOf(ready.name), isDemo: true });
    } catch (thrown) {
      this.#refuse(problemOf(thrown), () => void this.callDemoLine());
    }
  }

  // --- A call that comes in

  ring(call: IncomingCall): void {
    this.#incoming.ring(call);
  }

  async accept(video: boolean): Promise<void> {
    await this.#incoming.accept(video, false);
  }

  decline(): void {
    this.#incoming.decline();
  }

  renderIncoming(): void {
    this.#incoming.render();
  }

  // --- During a call

  hangUp(): void {
    if (this.#demo.isOpening) {
      this.#demo.close();
      this.#lines.redraw();
      this.#events.onchange();
    }
    this.line?.flow?.hangUp();
  }

  resume(): void {
    this.line?.flow?.resume();
  }

  mute(muted: boolean): void {
    if (!this.line) return;
    this.line.isMuted = muted;
    this.line.flow?.mute(muted);
    this.line.features?.mute(muted);
  }

  listen(on: boolean): void {
    if (this.line) this.line.isAudible = on;
    this.#lines.screen.listen(on);
  }

  async hold(on: boolean): Promise<void> {
    await this.#lines.hold(this.line, on);
  }

  get sendsVideo(): boolean {
    return this.line?.picture.here === true && !this.line.isOver;
  }

  async turnCamera(on: boolean): Promise<void> {
    try {
      await this.line?.flow?.turnCamera(on);
    } catch (thrown) {
      if (this.isTalking) this.#parts.alerts.show(problemOf(thrown));
    }
  }

  async swap(): Promise<void> {
    await this.#lines.swap();
  }

  async transfer(address: string): Promise<void> {
    await this.#transfers.transfer(address);
  }

  key(key: string): void {
    this.#parts.tones.key(key);
    if (this.isTalking) this.line?.call?.sendKey(key);
  }

  async changeDevice(kind: 'microphone' | 'camera' | 'speaker'): Promise<void> {
    const { devices, alerts } = this.#parts;
    if (kind === 'speaker') return this.#lines.screen.speaker(devices.chosen.speaker);
    if (!this.isTalking) return;
    try {
      const stream = await captureMedia(kind === 'camera', devices.chosen);
      for (const track of stream.getTracks()) {
        if (track.kind === (kind === 'camera' ? 'video' : 'audio')) await this.line?.flow?.replace(track);
        else track.stop();
      }
    } catch (thrown) {
      alerts.show(problemOf(thrown));
    }
  }

  /** Removes the last call from the page. */
  clear(): void {
    this.#lines.clear();
    this.#events.onchange();
  }

  /** Ends all calls before the user changes. */
  close(): void {
    this.#incoming.end();
    this.other?.flow?.hangUp();
    this.hangUp();
    this.#demo.close();
  }

  // --- Inside

  #start(farEnd: FarEnd, generated = false, video = find<HTMLInputElement>('with-video').checked): Line | undefined {
    const { registration, devices, api, alerts } = this.#parts;
    if (this.isBusy) return undefined;
    if (farEnd.kind !== 'echo' && registration.state !== 'online') {
      this.#refuse(new Problem('not_registered'));
      return undefined;
    }
    alerts.clear();
    devices.close();
    const line = new Line(farEnd, { video, generated, began: Date.now() });
    line.flow = new CallFlow(api, {
      video,
      transport: find<HTMLSelectElement>('transport').value as Transport,
      relayOnly: farEnd.kind === 'echo' || find<HTMLInputElement>('relay-only').checked,
      devices: devices.chosen,
      isCallee: farEnd.kind === 'caller',
      kind: farEnd.kind === 'caller' ? undefined : farEnd.kind === 'person' && farEnd.isDemo ? 'demo_line' as const : farEnd.kind,
      generated,
    }, story.record(line.view(this.#lineEvents)), this.#legOf(line), farEnd.kind === 'caller' ? farEnd.call.traceparent : undefined);
    void this.#lines.screen.speaker(devices.chosen.speaker);
    this.#lines.show(line);
    void line.flow.start();
    this.#events.onchange();
    find('hang-up').focus({ preventScroll: true });
    find('screen').scrollIntoView({ block: 'nearest' });
    return line;
  }

  #legOf(line: Line): MakeLeg {
    const { farEnd } = line;
    if (farEnd.kind === 'echo') return (media, configuration, events) => new LoopCall(media, configuration, events);
    const { registration, names } = this.#parts;
    return sipLeg(line, farEnd, registration, () => this.#incoming.answering(), {
      onmuted: muted => {
        line.isPeerMuted = muted;
        if (line === this.line) this.#lines.redrawStatus();
      },
      onreferred: referral => void this.#transfers.follow(line, referral),
      onname: name => {
        line.rename(name);
        if (line.impu && line.name === name) names.learn(line.impu, name);
        if (line !== this.line) return;
        this.#lines.screen.name(line);
        this.#lines.redrawStatus();
      },
    });
  }

  readonly #lineEvents: LineEvents = {
    onphase: line => {
      if (line.phase === 'ended') this.#ended(line);
      else if (line === this.line) this.#lines.redraw();
      this.#events.onchange();
    },
    onheld: line => {
      if (line !== this.line) return;
      this.#lines.screen.held(line);
      this.#lines.redrawStatus();
      this.#transfers.resumeAfter(line);
    },
    onwarning: (line, problem, interrupted) => {
      if (line !== this.line) return;
      this.#parts.alerts.show(problem, problem.asksToSignIn ? {} : { retry: () => this.resume() }, interrupted && !problem.asksToSignIn);
      if (problem.asksToSignIn) this.#events.onsignin(() => this.resume());
    },
    onrecovered: line => {
      if (line !== this.line) return;
      this.#parts.alerts.clear();
      this.#lines.redrawStatus();
      this.#events.onchange();
    },
    onfailed: (line, problem) => this.#failed(line, problem),
  };

  #ended(line: Line): void {
    // The callee did not answer in time, so this page has cancelled the call.
    if (line.outcome === 'no_answer') return this.#failed(line, new Problem('no_answer'));
    const hadFocus = document.activeElement?.closest('.controls') !== null;
    this.#over(line);
    if (hadFocus && line === this.line) find('call').focus();
  }

  #failed(line: Line, problem: Problem): void {
    const isShown = line === this.line;
    line.phase = 'failed';
    line.problem = problem;
    this.#over(line);
    if (!isShown) return;
    // A line that was on hold has taken its place.
    const again = line === this.line ? this.#again(line) : undefined;
    this.#parts.alerts.show(problem, problem.asksToSignIn || !again ? {} : { retry: () => again(line.generated), useTone: () => again(true) });
    if (problem.asksToSignIn) this.#events.onsignin(() => again?.(line.generated));
    else if (again) find('retry').focus();
    if (line.isWithPerson && (problem.code === 'busy' || problem.code === 'declined')) this.#parts.tones.busy();
  }

  /** How to try a failed call again. */
  #again(line: Line): ((withTone: boolean) => void) | undefined {
    const { farEnd } = line;
    if (farEnd.kind === 'caller') {
      return this.#incoming.ringing === farEnd.call ? withTone => void this.#incoming.accept(line.video, withTone) : undefined;
    }
    if (farEnd.kind === 'person' && farEnd.isDemo) return () => void this.callDemoLine();
    return farEnd.kind === 'person' && farEnd.referral ? undefined : withTone => void this.#start(farEnd, withTone, line.video);
  }

  #over(line: Line): void {
    const { farEnd } = line;
    if (farEnd.kind === 'person' && farEnd.isDemo) this.#demo.close();
    if (farEnd.kind === 'person' && !line.call) farEnd.referral?.reject();
    const { other } = this;
    this.#lines.end(line);
    if (other && other === this.line) this.#transfers.resumeAfter(other);
    // A caller who still rings can be answered again.
    if (farEnd.kind !== 'caller' || this.#incoming.ringing !== farEnd.call) this.#remember(line.past());
  }

  #remember(call: PastCall): void {
    this.#parts.history.add(call);
    this.#events.onhistory();
  }

  #refuse(problem: Problem, retry?: () => void): void {
    this.#lines.refuse(problem);
    this.#parts.alerts.show(problem, retry ? { retry } : {});
    this.#events.onchange();
  }

  async #eachSecond(): Promise<void> {
    this.#incoming.tick();
    this.#lines.tick();
    const line = this.line;
    if (!line || line.isOver) return;
    if (line.phase === 'ringing' && ringTime(line.ringingSince!, performance.now()).isOver) {
      line.outcome = 'no_answer';
      line.flow?.hangUp();
    }
    if (line.connectedAt === undefined) return;
    const statistics = await line.flow?.statistics();
    if (!statistics || this.line !== line || line.isOver) return;
    line.statistics = statistics;
    this.#lines.screen.statistics(statistics);
    this.#lines.redrawStatus();
  }
}
