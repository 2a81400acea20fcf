import type { AnswerOptions, RTCSession } from 'jssip/lib/RTCSession';
import { isConnected, mediaFlows, receiveMedia, replaceTrack, watchState } from '../call/connection.ts';
import type { Leg, LegEvents } from '../call/leg.ts';
import { Problem } from '../call/problem.ts';
import type { Trace } from '../telemetry/trace.ts';
import { describeWithCandidates } from './gathering.ts';
import { problemOfEnd } from './sipProblems.ts';

const patienceWhenLost = 2_000;

/** How a SIP call starts: it sends an INVITE or answers one. */
export interface Dialling {
  isCallee: boolean;
  /** Undefined when the IMS cannot be reached at the moment. */
  begin(options: AnswerOptions): RTCSession | undefined;
  isOnline(): boolean;
}

/** A call over SIP (RFC 3261 through JsSIP), media through TURN. */
export class SipCall implements Leg {
  readonly #media: MediaStream;
  readonly #configuration: RTCConfiguration;
  readonly #dialling: Dialling;
  readonly #events: LegEvents;
  readonly #trace: Trace;
  readonly #closed = new AbortController();
  #session: RTCSession | undefined;
  #problem: Problem | undefined;
  #restartProblem: Problem | undefined;
  #peerRestarted = () => {};
  #hurry = () => {};

  constructor(media: MediaStream, configuration: RTCConfiguration, dialling: Dialling, trace: Trace, events: LegEvents) {
    this.#media = media;
    this.#configuration = configuration;
    this.#dialling = dialling;
    this.#trace = trace;
    this.#events = events;
  }

  async connect(offered: () => void, relayed: (candidate: RTCIceCandidate) => void): Promise<void> {
    const session = this.#begin();
    const connection = session.connection;
    let isFirst = true;
    describeWithCandidates(connection, {
      onrelayed: candidate => {
        if (isFirst) relayed(candidate);
        isFirst = false;
      },
      onrestartfailed: problem => { this.#restartProblem = problem; },
    }, this.#closed.signal);
    const answered = this.#answered(session);
    this.#watchMedia(connection);
    this.#watchHold(session);
    offered();
    await answered;
    await mediaFlows([connection], this.#closed.signal);
  }

  /** The caller restarts ICE. The callee does so only if the caller does not within `patience` ms, because two restarts collide (491). */
  async renew(configuration: RTCConfiguration, patience: number): Promise<void> {
    const session = this.#session!;
    session.connection.setConfiguration(configuration);
    if (this.#dialling.isCallee && await this.#callerRestarts(patience)) return mediaFlows([session.connection], this.#closed.signal);
    if (!this.#dialling.isOnline()) throw new Problem('ims_unavailable');
    this.#restartProblem = undefined;
    session.connection.restartIce();
    await this.#negotiate(done => session.renegotiate(this.#options(), done));
    if (this.#restartProblem) throw this.#restartProblem;
    await mediaFlows([session.connection], this.#closed.signal);
  }

  statistics(): Promise<RTCStatsReport> {
    return this.#session ? this.#session.connection.getStats() : Promise.resolve(new Map() as RTCStatsReport);
  }

  mute(muted: boolean): void {
    // JsSIP remembers the mute state over a hold.
    if (muted) this.#session?.mute({ audio: true });
    else this.#session?.unmute({ audio: true });
  }

  async hold(on: boolean): Promise<void> {
    const session = this.#session!;
    if (!this.#dialling.isOnline()) throw new Problem('ims_unavailable');
    await this.#negotiate(done => on ? session.hold(this.#options(), done) : session.unhold(this.#options(), done));
  }

  /** A key of the keypad as a telephone-event (RFC 4733). */
  sendKey(key: string): void {
    this.#session?.sendDTMF(key, { transportType: 'RFC2833' as never, duration: 160 });
  }

  replace(track: MediaStreamTrack): Promise<void> {
    return replaceTrack(this.#session?.connection, this.#media, track);
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    const isRinging = this.#dialling.isCallee && this.#session?.isInProgress();
    this.#closed.abort(new Problem('cancelled'));
    try {
      if (this.#session && !this.#session.isEnded())
        this.#session.terminate({ ...this.#options(), ...(isRinging ? { status_code: 486, reason_phrase: 'Busy Here' } : {}) });
    } catch {
      // Ended in this very moment.
    }
  }

  #begin(): RTCSession {
    const options = { mediaStream: this.#media, pcConfig: this.#configuration, ...this.#options() };
    try {
      this.#session = this.#dialling.begin(options);
    } catch {
      throw new Problem('address_invalid');
    }
    if (!this.#session) throw new Problem('ims_unavailable');
    return this.#session;
  }

  #options(): { extraHeaders: string[] } {
    // SIP is the call's, whichever of its steps is at work by then.
    return { extraHeaders: [`Traceparent: ${this.#trace.traceparent(this.#trace.root)}`] };
  }

  #answered(session: RTCSession): Promise<void> {
    session.on('sending', () => this.#events.onphase('calling'));
    session.on('progress', () => {
      if (!this.#dialling.isCallee) this.#events.onphase('ringing');
    });
    session.on('peerconnection:setlocaldescriptionfailed', error => {
      if (error instanceof Problem) this.#problem = error;
    });
    session.on('reinvite', ({ request }) => {
      if (/^a=ice-ufrag:/m.test(String(request.body))) this.#peerRestarted();
    });
    return new Promise((resolve, reject) => {
      session.on('accepted', () => resolve());
      const over = (event: { cause: string; originator: string; message: unknown }) => {
        const status = event.originator === 'remote' ? (event.message as { status_code?: number } | null)?.status_code : undefined;
        const problem = problemOfEnd(event.cause, status, this.#problem);
        reject(problem ?? new Problem('cancelled'));
        if (!this.#closed.signal.aborted) this.#events.onended(problem);
        this.#closed.abort(new Problem('cancelled'));
      };
      session.on('failed', over);
      session.on('ended', over);
    });
  }

  #watchMedia(connection: RTCPeerConnection): void {
    receiveMedia(connection, stream => this.#events.onmedia(stream));
    watchState(connection, () => {
      if (connection.connectionState === 'failed' || connection.iceConnectionState === 'disconnected') {
        this.#hurry();
        this.#events.onpath('lost');
      } else if (isConnected(connection)) this.#events.onpath('back');
    });
  }

  #watchHold(session: RTCSession): void {
    const reportHold = () => {
      const { local, remote } = session.isOnHold();
      this.#events.onhold({ here: local, there: remote });
    };
    session.on('hold', reportHold);
    session.on('unhold', reportHold);
  }

  #negotiate(begin: (done: () => void) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#closed.signal.addEventListener('abort', () => reject(this.#closed.signal.reason as Error), { once: true });
      if (!begin(resolve)) reject(new Problem('negotiating'));
    });
  }

  #callerRestarts(patience: number): Promise<boolean> {
    return new Promise(resolve => {
      let timer = setTimeout(() => resolve(false), patience);
      this.#closed.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
      this.#hurry = () => {
        clearTimeout(timer);
        timer = setTimeout(() => resolve(false), Math.min(patience, patienceWhenLost));
      };
      this.#peerRestarted = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
