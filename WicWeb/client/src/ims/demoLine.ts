import type { Api } from '../api.ts';
import { CallFlow, type CallView } from '../callFlow.ts';
import { type IncomingCall, Registration } from './registration.ts';
import { SipCall } from './sipCall.ts';

/**
 * Somebody to call when nobody else is there: a second client, which registers with the IMS as another device of the same
 * user, rings, answers by itself and plays a generated picture and tone. Its signalling goes over a WebSocket of its own, its
 * media over TURN credentials and a peer connection of its own; nothing passes inside the page.
 */
export class DemoLine {
  readonly #api: Api;
  readonly #registration: Registration;
  #flow: CallFlow | undefined;

  constructor(api: Api) {
    this.#api = api;
    this.#registration = new Registration(api, '', { onstate: () => this.#told(), onincoming: call => this.#answer(call) });
  }

  /** Resolves with its address when it can be called. */
  async ready(limit: number): Promise<string> {
    this.#registration.goOnline();
    const until = performance.now() + limit;
    while (this.#registration.state !== 'online') {
      const left = until - performance.now();
      if (left <= 0 || this.#registration.problem?.isFinal) throw this.#registration.problem ?? new Error('The demo line did not come online.');
      await new Promise<void>(resolve => {
        this.#told = resolve;
        setTimeout(resolve, Math.min(left, 1000));
      });
    }
    return this.#registration.identity!.impu;
  }

  close(): void {
    this.#flow?.hangUp();
    this.#registration.goOffline();
  }

  #told = () => {};

  #answer({ session, withVideo, trace }: IncomingCall): void {
    if (this.#flow) return session.terminate({ status_code: 486, reason_phrase: 'Busy Here' });
    const options = { video: withVideo, transport: 'auto', relayOnly: true, devices: {}, isCallee: true, generated: true } as const;
    const flow = new CallFlow(this.#api, options, silent(() => { this.#flow = undefined; }), (media, configuration, events, ofCall) =>
      new SipCall(media, configuration, {
        isCallee: true,
        begin: answer => {
          session.answer(answer);
          return session;
        },
        isOnline: () => this.#registration.state === 'online',
      }, ofCall, events), trace);
    this.#flow = flow;
    session.on('failed', () => flow.hangUp());
    void flow.start();
  }
}

/** Nobody watches the demo line; only the end of its call matters. */
function silent(ended: () => void): CallView {
  const none = () => {};
  return {
    phase: phase => { if (phase === 'ended') ended(); },
    failed: ended,
    step: none, localMedia: none, remoteMedia: none, relayed: none, held: none, connected: none, credentials: none, warning: none, recovered: none,
  };
}
