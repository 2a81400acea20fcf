import { Problem } from './problem.ts';
import { parseServerTiming } from './serverTiming.ts';
import type { Trace } from '../telemetry/trace.ts';
import type { TurnToken } from './turn.ts';

/** Answer of every request to /api/session; members are null without a session, and `user` is null for a guest. */
export interface Session {
  user: string | null;
  anonymous: boolean | null;
  impu: string | null;
  registered?: boolean | null;
  antiforgery_token: string | null;
  /** Name of the provider of external log-ins, if there is one. */
  external_login?: string | null;
  /** False if the service has no log-in with a password. */
  password_login?: boolean;
  /** True if the service offers demonstrations with the token: only in Development. */
  stage?: boolean;
}

/** A passkey of the account. */
export interface OwnPasskey { id: string; created_at: string }

/** Another session of the user. */
export interface OwnSession { id: string; began_at: string; used_at: string }

/** `POST /api/ims-token`. The token is sent only in the Authorization header of SIP requests and of the directory. */
export interface ImsToken {
  access_token: string;
  expires_in: number;
  impu: string;
  display_name: string | null;
  /** Request URI of REGISTER. */
  sip_uri: string;
  realm: string;
  websocket_path: string;
}

/** A token and how long each part of getting it took, in milliseconds. A part of the server is undefined if the server did not report it. */
export interface AuthorisedToken {
  token: TurnToken;
  timings: Timings;
}
export interface Timings {
  request: number;
  sessionCheck: number | undefined;
  waf: number | undefined;
  tokenMade: number | undefined;
  answer: number;
}

const requestLimit = 15_000;

/** The WWSF (interface W1), behind the gateway at /api, or at a path with a session of its own. Every failure is thrown as a {@link Problem}. */
export class Api {
  readonly #root: string;
  #antiforgeryToken = '';
  #offersStage = false;
  /** Called with each TURN token that arrives. */
  ontoken: (token: TurnToken) => void = () => {};

  constructor(root = '/api') {
    this.#root = root;
  }

  async session(): Promise<Session> {
    return this.#keepAntiforgery(await this.#send('GET', '/session'));
  }

  async continueAsGuest(): Promise<Session> {
    return this.#keepAntiforgery(await this.#change('POST', '/session/anonymous'));
  }

  async logIn(userName: string, password: string): Promise<Session> {
    return this.#keepAntiforgery(await this.#change('POST', '/session/login', { user_name: userName, password }));
  }

  /** The address of the external provider's log-in. */
  async externalLogin(): Promise<string> {
    return (await json<{ location: string }>(await this.#change('POST', '/session/external'))).location;
  }

  /** The options for the browser's WebAuthn functions. */
  async passkeyOptions<T>(path: 'session/passkey' | 'passkeys'): Promise<T> {
    return json<T>(await this.#change('POST', `/${path}/options`));
  }

  async logInWithPasskey(credential: object): Promise<Session> {
    return this.#keepAntiforgery(await this.#change('POST', '/session/passkey', credential));
  }

  async addPasskey(credential: object): Promise<void> {
    await this.#change('POST', '/passkeys', credential);
  }

  async passkeys(): Promise<OwnPasskey[]> {
    return (await json<{ passkeys: OwnPasskey[] }>(await this.#send('GET', '/passkeys'))).passkeys;
  }

  async removePasskey(id: string): Promise<void> {
    await this.#change('DELETE', `/passkeys/${id}`);
  }

  /** The sessions of the user in other browsers. */
  async sessions(): Promise<OwnSession[]> {
    return (await json<{ sessions: OwnSession[] }>(await this.#send('GET', '/sessions'))).sessions;
  }

  /** Ends one of the other sessions, or all. */
  async endSessions(id?: string): Promise<void> {
    await this.#change('DELETE', id === undefined ? '/sessions' : `/sessions/${id}`);
  }

  async changePassword(current: string, next: string): Promise<void> {
    await this.#change('POST', '/password', { current_password: current, new_password: next });
  }

  async signOut(): Promise<Session> {
    return this.#keepAntiforgery(await this.#change('DELETE', '/session'));
  }

  async turnToken(trace: Trace, signal: AbortSignal): Promise<AuthorisedToken> {
    const asked = performance.now();
    const response = await this.#change('POST', '/turn-token', undefined, { traceparent: trace.traceparent() }, signal);
    const answered = performance.now();
    const token = await json<TurnToken>(response);
    this.ontoken(token);
    const server = parseServerTiming(response.headers.get('Server-Timing'));
    const [sessionCheck, wafAnswered, tokenMade] = [server.get('step3'), server.get('step4'), server.get('step5')];
    return {
      token,
      timings: {
        request: Math.max(0, answered - asked - (sessionCheck ?? 0) - (wafAnswered ?? 0)),
        sessionCheck,
        // The WAF's answer includes step 5.
        waf: wafAnswered === undefined ? undefined : Math.max(0, wafAnswered - (tokenMade ?? 0)),
        tokenMade,
        answer: performance.now() - answered,
      },
    };
  }

  async imsToken(trace: Trace, signal: AbortSignal): Promise<ImsToken> {
    return json<ImsToken>(await this.#change('POST', '/ims-token', undefined, { traceparent: trace.traceparent() }, signal));
  }

  /** What the service offers on the stage; undefined where it offers nothing. */
  async stage<T>(): Promise<T | undefined> {
    if (!this.#offersStage) return undefined;
    return json<T>(await this.#send('GET', '/stage'));
  }

  /** A demonstration on the stage. Some take as long as a short token lives. */
  async demonstrate<T>(path: string, body?: object): Promise<T> {
    return json<T>(await this.#change('POST', `/stage/${path}`, body));
  }

  /** The antiforgery token is bound to the session, so each answer about the session brings a new one. */
  async #keepAntiforgery(response: Response): Promise<Session> {
    const session = await json<Session>(response);
    this.#antiforgeryToken = session.antiforgery_token ?? '';
    this.#offersStage = session.stage === true;
    return session;
  }

  /** A request that changes something carries the antiforgery token; one that went stale is renewed once. */
  async #change(method: string, path: string, body?: object, headers: Record<string, string> = {}, signal?: AbortSignal) {
    if (!this.#antiforgeryToken) await this.session();
    const send = () => this.#send(method, path, body, { ...headers, 'X-XSRF-TOKEN': this.#antiforgeryToken }, signal);
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'antiforgery') throw error;
      await this.session();
      return await send();
    }
  }

  async #send(method: string, path: string, body?: object, headers: Record<string, string> = {}, signal?: AbortSignal) {
    const response = await fetch(this.#root + path, {
      method,
      headers: { Accept: 'application/json', ...(body ? { 'Content-Type': 'application/json' } : {}), ...headers },
      body: body ? JSON.stringify(body) : null,
      cache: 'no-store',
      // A sign-out must arrive even if the page closes.
      keepalive: method === 'DELETE',
      signal: AbortSignal.any([AbortSignal.timeout(requestLimit), ...(signal ? [signal] : [])]),
    }).catch(error => {
      signal?.throwIfAborted();
      throw new Problem(error instanceof DOMException && error.name === 'TimeoutError' ? 'wwsf_unavailable' : 'gateway_unavailable', { step: 2 });
    });
    if (!response.ok) throw await problemIn(response);
    return response;
  }
}

async function json<T>(response: Response): Promise<T> {
  try {
    return await response.json() as T;
  } catch {
    throw new Problem('unexpected', { step: 6 });
  }
}

/** Which step of the figure a code belongs to: 3 is the WWSF's check of the user, 4 its request to the WAF. */
const stepOfCode: Record<string, number> = { not_signed_in: 3, session_expired: 3, waf_unavailable: 4, waf_refused: 4 };

const codeOfStatus: Record<number, string> = { 401: 'not_signed_in', 429: 'rate_limited', 502: 'wwsf_unavailable', 503: 'wwsf_unavailable', 504: 'wwsf_unavailable' };

async function problemIn(response: Response): Promise<Problem> {
  const details = await response.json().catch(() => ({})) as { code?: string; detail?: string; title?: string };
  const code = details.code ?? codeOfStatus[response.status] ?? 'unexpected';
  const retryAfter = Number(response.headers.get('Retry-After'));
  return new Problem(code, {
    step: stepOfCode[code] ?? 2,
    retryAfter: retryAfter > 0 ? retryAfter : undefined,
    detail: details.detail ?? details.title,
  });
}
