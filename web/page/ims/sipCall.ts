import type { AnswerOptions, RTCSession } from 'jssip/lib/RTCSession';
import { mediaFlows, pictures, receiveMedia, replaceTrack, samplePath, sendPicture, watchPicture, watchState } from '../call/connection.ts';
import type { Leg, LegEvents } from '../call/leg.ts';
import type { PathSample } from '../call/pathWatch.ts';
import { Problem } from '../call/problem.ts';
import type { Trace } from '../telemetry/trace.ts';
import { describeWithCandidates, isRestart, userFragments } from './gathering.ts';
import { dialogueOf, leaveToPage, markHeld, reportHeld } from './insideJsSip.ts';
import { Negotiation } from './negotiation.ts';
import { mediaLostReason, problemOfEnd, problemOfReason } from './sipProblems.ts';

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
  #negotiation: Negotiation | undefined;
  #problem: Problem | undefined;
  #peerRestarts = 0;
  #restartsBefore = 0;
  #peerRestarted = () => {};

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
    leaveToPage(session);
    this.#negotiation = new Negotiation(
      dialogueOf(session, !this.#dialling.isCallee, () => this.#options().extraHeaders), this.#closed.signal);
    let isFirst = true;
    describeWithCandidates(connection, {
      onrelayed: candidate => {
        if (isFirst) relayed(candidate);
        isFirst = false;
      },
      // The caller tries again.
      onrestartfailed: () => {},
    }, this.#closed.signal);
    const answered = this.#answered(session);
    this.#watchOffers(session);
    receiveMedia(connection, stream => this.#events.onmedia(stream));
    watchState(connection, () => this.#events.onpath());
    watchPicture(connection, video => this.#events.onvideo(video));
    this.#watchHold(session);
    offered();
    await answered;
    await mediaFlows([connection], this.#closed.signal);
  }

  useConfiguration(configuration: RTCConfiguration): void {
    this.#restartsBefore = this.#peerRestarts;
    this.#session!.connection.setConfiguration(configuration);
  }

  async restart(patience: number, notNeeded: AbortSignal): Promise<void> {
    if (this.#dialling.isCallee && await this.#callerRestarts(patience, notNeeded)) return;
    const { connection } = this.#session!;
    await this.#negotiate(() => {
      if (this.#peerRestarts > this.#restartsBefore) return false;
      connection.restartIce();
      return true;
    });
  }

  async sample(): Promise<PathSample | undefined> {
    return this.#session && samplePath(this.#session.connection);
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
    if (session.isOnHold().local === on) return;
    try {
      await this.#negotiate(() => {
        markHeld(session, on);
        return true;
      });
    } catch (thrown) {
      markHeld(session, !on);
      throw thrown;
    }
    reportHeld(session);
  }

  async turnCamera(track: MediaStreamTrack | undefined): Promise<void> {
    const { connection } = this.#session!;
    try {
      await this.#negotiate(async () => {
        await sendPicture(connection, this.#media, track);
        return true;
      });
      if (track && !pictures(connection).here) throw new Problem('no_common_format');
    } catch (thrown) {
      if (!this.#closed.signal.aborted) await sendPicture(connection, this.#media, undefined);
      throw thrown;
    }
  }

  /** A key of the keypad as a telephone-event (RFC 4733). */
  sendKey(key: string): void {
    this.#session?.sendDTMF(key, { transportType: 'RFC2833' as never, duration: 160 });
  }

  replace(track: MediaStreamTrack): Promise<void> {
    return replaceTrack(this.#session?.connection, this.#media, track);
  }

  close(isLost = false): void {
    if (this.#closed.signal.aborted) return;
    const session = this.#session;
    const isRinging = this.#dialling.isCallee && session?.isInProgress();
    this.#closed.abort(new Problem('cancelled'));
    try {
      const { extraHeaders } = this.#options();
      if (session && !session.isEnded()) session.terminate({
        extraHeaders: isLost && session.isEstablished() ? [...extraHeaders, mediaLostReason] : extraHeaders,
        ...(isRinging ? { status_code: 486, reason_phrase: 'Busy Here' } : {}),
      });
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
    return new Promise((resolve, reject) => {
      session.on('accepted', () => resolve());
      const over = (event: { cause: string; originator: string; message: unknown }) => {
        const message = event.message as { status_code?: number; getHeader?(name: string): string | undefined } | null;
        const status = event.originator === 'remote' ? message?.status_code : undefined;
        const reason = event.originator === 'remote' ? problemOfReason(message?.getHeader?.('Reason')) : undefined;
        const problem = reason ?? problemOfEnd(event.cause, status, this.#problem);
        reject(problem ?? new Problem('cancelled'));
        if (!this.#closed.signal.aborted) this.#events.onended(problem);
        this.#closed.abort(new Problem('cancelled'));
      };
      session.on('failed', over);
      session.on('ended', over);
    });
  }

  #watchOffers(session: RTCSession): void {
    session.on('reinvite', ({ request, reject }: { request: { body: unknown }; reject(options: object): void }) => {
      if (this.#negotiation!.isOffering) return reject({ status_code: 491, reason_phrase: 'Request Pending' });
      if (!isRestart(userFragments(session.connection.remoteDescription?.sdp ?? ''), String(request.body ?? ''))) return;
      this.#peerRestarts++;
      this.#peerRestarted();
    });
  }

  #watchHold(session: RTCSession): void {
    const report = () => {
      const { local, remote } = session.isOnHold();
      this.#events.onhold({ here: local, there: remote });
    };
    session.on('hold', report);
    session.on('unhold', report);
  }

  /** Resolves when the other side has answered. */
  async #negotiate(prepare: () => boolean | Promise<boolean>): Promise<void> {
    if (!this.#dialling.isOnline()) throw new Problem('ims_unavailable');
    try {
      await this.#negotiation!.change(prepare);
    } catch (thrown) {
      if (thrown instanceof Problem && thrown.code === 'call_gone') this.#events.onended(thrown);
      throw thrown;
    }
  }

  #callerRestarts(patience: number, notNeeded: AbortSignal): Promise<boolean> {
    if (this.#peerRestarts > this.#restartsBefore) return Promise.resolve(true);
    return new Promise(resolve => {
      const settle = (restarts: boolean) => {
        clearTimeout(timer);
        resolve(restarts);
      };
      const timer = setTimeout(() => settle(false), patience);
      this.#peerRestarted = () => settle(true);
      for (const signal of [notNeeded, this.#closed.signal]) signal.addEventListener('abort', () => settle(true), { once: true });
    });
  }
}
