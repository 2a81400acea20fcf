import type { CallFlow } from '../call/callFlow.ts';
import type { CallView, Credentials, Phase, StepState } from '../call/callView.ts';
import type { Problem } from '../call/problem.ts';
import type { MediaStatistics } from '../call/statistics.ts';
import type { CallFeatures, Referral } from '../ims/features.ts';
import type { IncomingCall } from '../ims/registration.ts';
import type { SipCall } from '../ims/sipCall.ts';
import type { Outcome, PastCall } from './history.ts';

/** The other end of a call. */
export type FarEnd =
  | { kind: 'echo' }
  | { kind: 'person'; address: string; name: string; isDemo: boolean; referral?: Referral }
  | { kind: 'caller'; call: IncomingCall };

/** The part of a call's view that only draws. It can be shown again later. */
export type LineScreen = Pick<CallView, 'step' | 'localMedia' | 'remoteMedia' | 'credentials' | 'video' | 'interrupted'> & {
  relayed(candidate: RTCIceCandidate): void;
  total(total: Total): void;
};

/** What the sentence under the ladder says. */
export type Total = { kind: 'media'; took: number } | { kind: 'failed'; step: number };

export interface LineEvents {
  onphase(line: Line): void;
  onheld(line: Line): void;
  onwarning(line: Line, problem: Problem, interrupted: boolean): void;
  onrecovered(line: Line): void;
  onfailed(line: Line, problem: Problem): void;
}

/** One call of the telephone, and everything that the page shows of it. A telephone has two lines: one is shown, one is on hold. */
export class Line {
  readonly farEnd: FarEnd;
  readonly video: boolean;
  readonly generated: boolean;
  readonly began: number;
  flow: CallFlow | undefined;
  call: SipCall | undefined;
  features: CallFeatures | undefined;
  phase: Phase = 'media';
  /** Which side sends a picture. */
  picture: { here: boolean; there: boolean };
  /** On the clock of `performance.now()`. */
  ringingSince: number | undefined;
  connectedAt: number | undefined;
  endedAt: number | undefined;
  held = { here: false, there: false };
  isMuted = false;
  isPeerMuted = false;
  isAudible = false;
  /** The person to whom this page transfers the far end. */
  transfersTo: string | undefined;
  /** The person whom this page calls because the far end asked for it. */
  transferredTo: string | undefined;
  problem: Problem | undefined;
  statistics: MediaStatistics | undefined;
  /** Why the call ended, if its own events do not say it. */
  outcome: Outcome | undefined;
  far: MediaStream | undefined;
  #name: string;
  #near: MediaStream | undefined;
  #steps = new Map<number, [StepState, number | undefined]>();
  #candidate: RTCIceCandidate | undefined;
  #credentials: Credentials | undefined;
  #total: Total | undefined;
  #giveUpAt: number | undefined;
  #screen: LineScreen | undefined;

  constructor(farEnd: FarEnd, options: { video: boolean; generated: boolean; began: number }) {
    this.farEnd = farEnd;
    this.video = options.video;
    this.generated = options.generated;
    this.began = options.began;
    this.#name = farEnd.kind === 'person' ? farEnd.name : farEnd.kind === 'caller' ? farEnd.call.caller.name : '';
    this.isAudible = farEnd.kind !== 'echo';
    this.picture = { here: options.video, there: false };
  }

  get name(): string {
    return this.#name;
  }

  /** The name that the network asserts is better than the one that was dialled. */
  rename(name: string): void {
    if (this.farEnd.kind === 'person' && !this.farEnd.isDemo) this.#name = name;
  }

  get impu(): string | undefined {
    return this.farEnd.kind === 'person' ? this.farEnd.address : this.farEnd.kind === 'caller' ? this.farEnd.call.caller.impu : undefined;
  }

  get isOver(): boolean {
    return this.phase === 'ended' || this.phase === 'failed';
  }

  get isTalking(): boolean {
    return this.phase === 'inCall' || this.phase === 'interrupted';
  }

  get isWithPerson(): boolean {
    return this.farEnd.kind !== 'echo';
  }

  /** How long the two have talked, or did, in seconds. */
  seconds(now: number): number {
    return this.connectedAt === undefined ? 0 : ((this.endedAt ?? now) - this.connectedAt) / 1000;
  }

  /** This call for the list of calls, when it is over. */
  past(): PastCall {
    const { farEnd } = this;
    const talked = this.connectedAt !== undefined;
    return {
      direction: farEnd.kind === 'caller' ? 'in' : 'out',
      kind: farEnd.kind === 'echo' ? 'echo' : farEnd.kind === 'person' && farEnd.isDemo ? 'demo_line' : 'person',
      name: this.#name,
      impu: this.impu,
      video: this.video,
      at: this.began,
      seconds: Math.round(this.seconds(performance.now())),
      outcome: this.outcome ?? (talked ? 'answered' : this.problem?.code ?? 'cancelled'),
    };
  }

  /** Draws the present state of the call, and every change from now on. */
  show(screen: LineScreen): void {
    this.#screen = screen;
    for (const [number, [state, took]] of this.#steps) screen.step(number, state, took);
    if (this.#near) screen.localMedia(this.#near);
    if (this.far) screen.remoteMedia(this.far);
    if (this.#candidate) screen.relayed(this.#candidate);
    if (this.#credentials) screen.credentials(this.#credentials);
    if (this.#total) screen.total(this.#total);
    screen.video(this.picture);
    screen.interrupted(this.#giveUpAt);
  }

  detach(): void {
    this.#screen = undefined;
  }

  /** The view of the call: keeps what comes, draws it if the line is shown, and passes on what the telephone has to act upon. */
  view(events: LineEvents): CallView {
    const total = (reached: Total) => {
      this.#total = reached;
      this.#screen?.total(reached);
    };
    return {
      phase: phase => {
        if (this.isOver) return;
        this.phase = phase;
        if (phase === 'ringing') this.ringingSince ??= performance.now();
        if (phase === 'ended') this.endedAt = performance.now();
        events.onphase(this);
      },
      step: (number, state, took) => {
        this.#steps.set(number, [state, took]);
        this.#screen?.step(number, state, took);
      },
      localMedia: stream => {
        this.#near = stream;
        this.#screen?.localMedia(stream);
      },
      remoteMedia: stream => {
        this.far = stream;
        this.#screen?.remoteMedia(stream);
      },
      relayed: candidate => {
        this.#candidate = candidate;
        this.#screen?.relayed(candidate);
      },
      held: held => {
        this.held = held;
        events.onheld(this);
      },
      video: picture => {
        this.picture = picture;
        this.#screen?.video(picture);
      },
      interrupted: giveUpAt => {
        this.#giveUpAt = giveUpAt;
        this.#screen?.interrupted(giveUpAt);
      },
      connected: took => {
        this.connectedAt = performance.now();
        total({ kind: 'media', took });
      },
      credentials: credentials => {
        this.#credentials = credentials;
        this.#screen?.credentials(credentials);
      },
      warning: (problem, interrupted) => {
        this.problem = problem;
        events.onwarning(this, problem, interrupted);
      },
      recovered: () => {
        this.problem = undefined;
        events.onrecovered(this);
      },
      failed: (problem, step) => {
        if (this.isOver) return;
        this.phase = 'failed';
        this.endedAt = performance.now();
        this.problem = problem;
        if (step !== undefined) total({ kind: 'failed', step });
        events.onfailed(this, problem);
      },
    };
  }
}
