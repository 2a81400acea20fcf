import type { UA, URI } from 'jssip';
import { backOff } from '../call/schedule.ts';

/** A person who can be called now. */
export interface OnlinePerson { impu: string; display_name: string }

interface Subscriber {
  on(event: 'notify', handle: (isFinal: boolean, request: unknown, body: string, contentType: string) => void): void;
  on(event: 'terminated', handle: (code: number, reason?: string, retryAfter?: number) => void): void;
  subscribe(): void;
}

const eventPackage = 'webrtcims-online';
const expires = 600;

/**
 * The list of people who are online. The eP-CSCF sends it at once and whenever it changes (SUBSCRIBE and NOTIFY of RFC 6665), over the
 * connection that the page has anyway. The subscription belongs to that connection, so the page subscribes again with each new one.
 */
export class Presence {
  readonly #onpeople: (online: OnlinePerson[]) => void;
  #subscriber: Subscriber | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;

  constructor(onpeople: (online: OnlinePerson[]) => void) {
    this.#onpeople = onpeople;
  }

  /** Call it when the agent has registered over a new connection. */
  start(agent: Pick<UA, 'subscribe' | 'isConnected'>, domain: URI): void {
    this.stop();
    const options = { expires, params: {} } as never;
    const subscriber = agent.subscribe(domain as never, eventPackage, 'application/json', options) as unknown as Subscriber;
    const isCurrent = () => this.#subscriber === subscriber;
    this.#subscriber = subscriber;
    subscriber.on('notify', (_isFinal, _request, body) => {
      if (!isCurrent()) return;
      this.#tries = 0;
      const online = readOnline(body);
      if (online) this.#onpeople(online);
    });
    // The server has forgotten the subscription, or has too much to do. Without a connection the next one subscribes again.
    subscriber.on('terminated', (_code, _reason, retryAfter) => {
      if (!isCurrent()) return;
      this.#subscriber = undefined;
      const wait = Math.max(backOff(this.#tries++), retryAfter ?? 0);
      this.#retry = setTimeout(() => { if (agent.isConnected()) this.start(agent, domain); }, wait * 1000);
    });
    subscriber.subscribe();
  }

  /** The connection is lost, or the page goes offline. */
  stop(): void {
    clearTimeout(this.#retry);
    this.#subscriber = undefined;
  }
}

/** The body of a NOTIFY; undefined if it is something else. */
export function readOnline(body: string): OnlinePerson[] | undefined {
  try {
    const { online } = JSON.parse(body) as { online?: unknown };
    return Array.isArray(online) ? online.filter(isPerson).map(({ impu, display_name }) => ({ impu, display_name })) : undefined;
  } catch {
    return undefined;
  }
}

function isPerson(value: unknown): value is OnlinePerson {
  const { impu, display_name } = (value ?? {}) as Record<string, unknown>;
  return typeof impu === 'string' && typeof display_name === 'string';
}
