import { UA, URI } from 'jssip';
import type { AnswerOptions, RTCSession } from 'jssip/lib/RTCSession';
import type { IncomingRequest } from 'jssip/lib/SIPMessage';
import type { RTCSessionEvent } from 'jssip/lib/UA';
import type { Api, ImsToken } from '../call/api.ts';
import { type Problem, problemOf } from '../call/problem.ts';
import { backOff, renewAfter } from '../call/schedule.ts';
import { Trace } from '../telemetry/trace.ts';
import { callerOf, offersVideo, type Person } from './addresses.ts';
import { type OnlinePerson, Presence } from './presence.ts';
import { registrationProblem } from './sipProblems.ts';
import { SipSocket } from './sipSocket.ts';

export type OnlineState = 'offline' | 'connecting' | 'online' | 'reconnecting';
export type Identity = Pick<ImsToken, 'impu' | 'display_name' | 'realm'>;

export interface IncomingCall {
  session: RTCSession;
  caller: Person;
  withVideo: boolean;
  /** The caller's, if the INVITE has one. */
  traceparent: string | undefined;
  /** The INVITE. */
  invite: IncomingRequest;
}

export interface RegistrationEvents {
  onstate(state: OnlineState, problem: Problem | undefined): void;
  onincoming(call: IncomingCall): void;
  /** Who else is online. */
  onpeople?(online: OnlinePerson[]): void;
}

const registrationLifetime = 600;

/** Parts of JsSIP without types. */
interface Transactions {
  on(event: 'newTransaction', handle: (event: { transaction: Transaction }) => void): void;
}
interface Transaction {
  request: { method: string; setHeader(name: string, value: string): void };
  state: number;
  C: { STATUS_COMPLETED: number; STATUS_TERMINATED: number };
  on(event: 'stateChanged', handle: () => void): void;
}

/**
 * This page's registration with the IMS (RFC 3261 §10 over RFC 7118, authorised by RFC 8898). It gets a token, registers, and renews
 * both before they expire. After a lost WebSocket it registers the same instance again, so calls go on (RFC 5626).
 */
export class Registration {
  readonly #api: Api;
  readonly #events: RegistrationEvents;
  readonly #instance = crypto.randomUUID();
  readonly #anonymous: string;
  readonly #presence: Presence | undefined;
  #agent: UA | undefined;
  #token: ImsToken | undefined;
  #wanted = new AbortController();
  #state: OnlineState = 'offline';
  #problem: Problem | undefined;
  #isRefreshing = false;
  /** The trace of the current or next REGISTER. */
  #trace: Trace | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** How often a token was refused since the last success. */
  #refusals = 0;

  constructor(api: Api, anonymous: string, events: RegistrationEvents) {
    this.#api = api;
    this.#anonymous = anonymous;
    this.#events = events;
    this.#presence = events.onpeople && new Presence(online => this.#events.onpeople?.(online));
    this.#wanted.abort();
  }

  get state(): OnlineState {
    return this.#state;
  }

  get identity(): Identity | undefined {
    return this.#wanted.signal.aborted ? undefined : this.#token;
  }

  /** The last problem, until it is solved. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  goOnline(): void {
    if (!this.#wanted.signal.aborted) return;
    this.#wanted = new AbortController();
    this.#setState('connecting');
    void this.#refresh();
  }

  /** Also ends calls. */
  goOffline(problem?: Problem): void {
    this.#wanted.abort();
    clearTimeout(this.#timer);
    this.#stop();
    this.#endTrace('cancelled');
    this.#token = undefined;
    this.#setState('offline', problem);
  }

  /** After a sleep or a change of network: proves that the registration is still there. */
  check(): void {
    if (this.#state === 'online') this.#agent?.register();
  }

  call(address: string, options: AnswerOptions): RTCSession | undefined {
    return this.#state === 'online' ? this.#agent?.call(address, options) : undefined;
  }

  /** Gets a new token and registers with it. Retries until it works or the problem is final. */
  async #refresh(): Promise<void> {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    const { signal } = this.#wanted;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const trace = new Trace('register');
      const asking = trace.begin('request registration token');
      try {
        const token = await this.#api.imsToken(trace, signal);
        trace.end(asking);
        signal.throwIfAborted();
        this.#use(token, trace);
        break;
      } catch (thrown) {
        const problem = problemOf(thrown);
        for (const span of [asking, trace.root]) trace.end(span, signal.aborted ? 'cancelled' : problem.code);
        if (signal.aborted) break;
        if (problem.asksToSignIn || problem.isFinal) {
          this.#isRefreshing = false;
          return this.goOffline(problem);
        }
        this.#setState(this.#state, problem);
        await new Promise(resolve => setTimeout(resolve, Math.max(backOff(attempt), problem.retryAfter ?? 0) * 1000));
      }
    }
    this.#isRefreshing = false;
    // The page went offline and online again in the meantime.
    if (signal.aborted && !this.#wanted.signal.aborted) void this.#refresh();
  }

  #use(token: ImsToken, trace: Trace): void {
    const isSame = this.#agent !== undefined && this.#token?.impu === token.impu;
    this.#token = token;
    this.#endTrace('cancelled');
    this.#trace = trace;
    this.#renewIn(renewAfter(token.expires_in, Math.random()));
    if (isSame) {
      this.#agent!.set('authorization_jwt', `Bearer ${token.access_token}`);
      if (this.#agent!.isConnected()) this.#agent!.register();
      else this.#endTrace('ims_unavailable');
      return;
    }
    this.#stop();
    this.#agent = this.#start(token);
  }

  #renewIn(seconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#refresh(), seconds * 1000);
  }

  /** Later events of the stopped agent are ignored. */
  #stop(): void {
    const agent = this.#agent;
    this.#agent = undefined;
    this.#presence?.stop();
    agent?.stop();
  }

  /**
   * Each REGISTER has a trace: that of its token or, if JsSIP sends it by itself, one of its own. JsSIP reports only the first success
   * and every failure, so the end of the transaction ends the trace.
   */
  #follow(transaction: Transaction, socket: SipSocket): void {
    if (transaction.request.method !== 'REGISTER') return;
    const isOver = () => [transaction.C.STATUS_COMPLETED, transaction.C.STATUS_TERMINATED].includes(transaction.state);
    socket.expect(isOver);
    const trace = this.#trace ??= new Trace('register');
    transaction.request.setHeader('Traceparent', trace.traceparent());
    transaction.on('stateChanged', () => queueMicrotask(() => {
      if (!isOver()) return;
      trace.end(trace.root);
      if (this.#trace === trace) this.#trace = undefined;
    }));
  }

  #endTrace(error: string): void {
    this.#trace?.end(this.#trace.root, error);
    this.#trace = undefined;
  }

  #start(token: ImsToken): UA {
    const socket = new SipSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${token.websocket_path}`);
    const agent = new UA({
      sockets: socket,
      uri: token.impu,
      registrar_server: token.sip_uri,
      ...(token.display_name ? { display_name: token.display_name } : {}),
      authorization_jwt: `Bearer ${token.access_token}`,
      instance_id: this.#instance,
      register_expires: registrationLifetime,
      session_timers: false,
      no_answer_timeout: 60,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 8,
      user_agent: 'WebRtcIms',
    });
    const current = (handle: () => void) => () => {
      if (this.#agent === agent) handle();
    };
    agent.on('registered', current(() => {
      this.#refusals = 0;
      this.#setState('online');
      const domain = URI.parse(token.sip_uri);
      if (domain) this.#presence?.start(agent, domain);
    }));
    agent.on('disconnected', current(() => {
      this.#endTrace('ims_unavailable');
      this.#presence?.stop();
      this.#setState(this.#state === 'connecting' ? 'connecting' : 'reconnecting', registrationProblem(undefined));
    }));
    agent.on('registrationFailed', ({ response }) => current(() => this.#failed(response?.status_code))());
    (agent as unknown as Transactions).on('newTransaction', ({ transaction }) => current(() => this.#follow(transaction, socket))());
    agent.on('registrationExpiring', current(() => void this.#refresh()));
    agent.on('newRTCSession', (event: RTCSessionEvent) => {
      // JsSIP also reports outgoing calls.
      if (event.originator !== 'remote' as never) return;
      const { session, request } = event;
      this.#events.onincoming({
        session: session as RTCSession,
        caller: callerOf(request.getHeader('P-Asserted-Identity') as string | undefined, this.#anonymous),
        withVideo: offersVideo(String(request.body ?? '')),
        traceparent: request.getHeader('Traceparent') as string | undefined,
        invite: request as IncomingRequest,
      });
    });
    agent.start();
    return agent;
  }

  #failed(statusCode: number | undefined): void {
    this.#endTrace(registrationProblem(statusCode).code);
    // JsSIP registers again by itself when the connection is back.
    if (statusCode === undefined && !this.#agent?.isConnected()) return;
    const problem = registrationProblem(statusCode);
    if (problem.isFinal) return this.goOffline(problem);
    // A token may expire on its way. The next one should be accepted.
    const isStale = statusCode === 401 && this.#refusals++ === 0;
    this.#setState(this.#state === 'online' ? 'reconnecting' : this.#state, isStale ? undefined : problem);
    this.#renewIn(isStale ? 0.5 : 3);
  }

  #setState(state: OnlineState, problem?: Problem): void {
    this.#state = state;
    this.#problem = problem;
    this.#events.onstate(state, problem);
  }
}
