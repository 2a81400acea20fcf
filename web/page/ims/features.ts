import type { RTCSession } from 'jssip/lib/RTCSession';
import { Problem } from '../call/problem.ts';
import { callerOf, isSameAddress } from './addresses.ts';

/**
 * The INFO package (RFC 6086) by which two pages tell each other that a microphone is muted. SIP has no other sign of it: a muted phone
 * goes on to send, and its silence (RFC 6464 levels, RTP statistics) looks like that of a person who listens. A changed direction in SDP
 * would be a hold. The body is `{"muted":true}` or `{"muted":false}`. A side that does not announce the package is sent none.
 */
const mutePackage = 'webrtcims-mute';
const packageFields = [`Info-Package: ${mutePackage}`, 'Content-Disposition: Info-Package'];

/** Header fields of INVITE and of its answer: the packages that this page understands (RFC 6086 §5.2). */
export const announcement = `Recv-Info: ${mutePackage}`;

/** The far end of an unanswered REFER does not wait longer either: its own call has rung for a minute by then. */
const transferLimit = 90_000;

export interface FeatureEvents {
  onmuted(muted: boolean): void;
  onreferred(referral: Referral): void;
  /** The name that the network asserts for the callee. */
  onname(name: string): void;
}

/** The far end asks this page to call another person (RFC 3515), and is told how that call goes. */
export interface Referral {
  /** Calls the person. Undefined if the former call has ended meanwhile. */
  accept(options: object): RTCSession | undefined;
  reject(): void;
  /** Undefined if this page must not call there. */
  target: string | undefined;
}

interface Message { hasHeader(name: string): boolean; getHeader(name: string): string | undefined }
interface InfoEvent { originator: string; info: { body: string }; request: Message }
interface ReferEvent {
  request: { refer_to?: { uri: { toString(): string } } };
  accept(begun: (session: RTCSession) => void, options: object): unknown;
  reject(): void;
}

/** What two pages tell each other during a call besides media. */
export class CallFeatures {
  readonly #session: RTCSession;
  readonly #events: FeatureEvents;
  #takesMute = false;
  #isMuted = false;

  /** @param invite The INVITE, if this page was called. */
  constructor(session: RTCSession, invite: Message | undefined, own: { impu: string; realm: string }, events: FeatureEvents) {
    this.#session = session;
    this.#events = events;
    this.#readPackages(invite);
    session.on('progress', ({ response }: { response?: unknown }) => this.#readName(response as Message | null));
    session.on('accepted', ({ response }: { response?: unknown }) => {
      this.#readName(response as Message | null);
      this.#readPackages(response as Message | null);
    });
    session.on('newInfo', ({ originator, info, request }: InfoEvent) => {
      if (originator === 'remote' && readHeader(request, 'Info-Package') === mutePackage) this.#readMute(info.body);
    });
    session.on('refer', event => this.#refer(event as unknown as ReferEvent, own));
  }

  /** Tells the far end whether it hears this page. */
  mute(muted: boolean): void {
    if (!this.#takesMute || this.#isMuted === muted || !this.#session.isEstablished()) return;
    this.#isMuted = muted;
    this.#session.sendInfo('application/json', JSON.stringify({ muted }), { extraHeaders: packageFields });
  }

  /** Blind transfer (RFC 5589 §6): asks the far end to call somebody else. Resolves when that call is answered. */
  transfer(target: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (code: string) => reject(new Problem(code));
      const timer = setTimeout(() => fail('transfer_failed'), transferLimit);
      const settle = (then: () => void) => {
        clearTimeout(timer);
        then();
      };
      this.#session.on('ended', () => settle(() => fail('cancelled')));
      this.#session.refer(target, {
        eventHandlers: {
          requestFailed: () => settle(() => fail('transfer_refused')),
          accepted: () => settle(resolve),
          failed: ({ status_line: line }: { status_line?: { status_code: number } }) =>
            settle(() => fail(transferProblem(Number(line?.status_code)))),
        },
      });
    });
  }

  #refer({ request, accept, reject }: ReferEvent, own: { impu: string; realm: string }): void {
    this.#events.onreferred({
      target: referTarget(request.refer_to?.uri.toString() ?? '', own),
      accept: options => {
        let begun: RTCSession | undefined;
        accept(session => { begun = session; }, options);
        return begun;
      },
      reject,
    });
  }

  #readName(response: Message | null): void {
    const { name, impu } = callerOf(readHeader(response, 'P-Asserted-Identity'), '');
    if (impu && name) this.#events.onname(name);
  }

  #readPackages(message: Message | undefined | null): void {
    this.#takesMute ||= (readHeader(message, 'Recv-Info') ?? '').split(',').some(name => name.trim() === mutePackage);
  }

  #readMute(body: string): void {
    const muted = readMute(body);
    if (muted !== undefined) this.#events.onmuted(muted);
  }
}

/** The body of the package; undefined if it is something else. */
export function readMute(body: string): boolean | undefined {
  try {
    const { muted } = JSON.parse(body) as { muted?: unknown };
    return typeof muted === 'boolean' ? muted : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The identity that a Refer-To asks to call, if this page may: another identity of its own domain, by INVITE and without further header
 * fields (RFC 3261 §19.1.5). A far end must not make this page call a stranger, or take over a third call (Replaces).
 */
export function referTarget(uri: string, own: { impu: string; realm: string }): string | undefined {
  const [, user, host] = /^sip:([^@?;:<>\s]+)@([\w.-]+)$/i.exec(uri) ?? [];
  if (!user || host?.toLowerCase() !== own.realm.toLowerCase()) return undefined;
  const target = `sip:${user}@${host.toLowerCase()}`;
  return isSameAddress(target, own.impu) ? undefined : target;
}

/** Why the far end could not reach the person, from the final status in its NOTIFY (RFC 3515 §2.4.5). */
export function transferProblem(statusCode: number): string {
  if (statusCode === 603) return 'transfer_refused';
  if (statusCode === 486 || statusCode === 600) return 'transfer_busy';
  return [404, 408, 480, 487, 604].includes(statusCode) ? 'transfer_unreachable' : 'transfer_failed';
}

function readHeader(message: Message | undefined | null, name: string): string | undefined {
  return message?.hasHeader(name) ? message.getHeader(name) : undefined;
}
