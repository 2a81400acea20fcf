import { Api } from './api.ts';
import { CallFlow, type CallView, type Phase } from './callFlow.ts';
import { find } from './dom.ts';
import type { DemoMessage } from './ims/demoLine.ts';
import { type IncomingCall, type OnlineState, Registration } from './ims/registration.ts';
import { SipCall } from './ims/sipCall.ts';
import { type Problem, problemOf } from './problem.ts';
import { sendSpans } from './telemetry.ts';
import { labels, online, status, textOf } from './texts.ts';
import { followTheme } from './theme.ts';

/**
 * The demo line: a page in a frame, and a client like any other. It continues as a guest, with a session and an identity of the
 * pool, a connection to the IMS and TURN credentials of its own. It is there for one caller, whom it answers by itself with a
 * generated picture and tone, and it goes when the page around it says so, or with that page.
 */

const options = { video: true, transport: 'auto', relayOnly: true, devices: {}, isCallee: true, generated: true } as const;
const hangUpLimit = 1_000;

const expected = decodeURIComponent(location.hash.slice(1));
const flushSpans = sendSpans();
const api = new Api(`/api/demo/${crypto.randomUUID()}`);
const registration = new Registration(api, labels.anonymous, { onstate: register, onincoming: answer });
let flow: CallFlow | undefined;
let callEnded = () => {};
let closed: Promise<unknown> | undefined;

async function enter(): Promise<void> {
  register('connecting');
  try {
    await api.continueAsGuest();
    registration.goOnline();
  } catch (thrown) {
    register('offline', problemOf(thrown));
  }
}

function register(state: OnlineState, problem?: Problem): void {
  if (!flow) say(problem ? textOf(problem).title : online[state]);
  const { identity } = registration;
  if (state === 'online' && identity) {
    const name = identity.display_name ?? identity.impu;
    find('demo-name').textContent = labels.demoLineOf(name);
    find('demo-impu').textContent = identity.impu;
    tell({ state, impu: identity.impu, name });
  } else if (problem) tell({ state: 'failed', code: problem.code });
}

function answer({ session, caller, withVideo, traceparent }: IncomingCall): void {
  if (flow || caller.impu !== expected) return session.terminate({ status_code: 486, reason_phrase: 'Busy Here' });
  const call = new CallFlow(api, { ...options, video: withVideo }, view, (media, configuration, events, ofCall) =>
    new SipCall(media, configuration, {
      isCallee: true,
      begin: answered => {
        session.answer(answered);
        return session;
      },
      isOnline: () => registration.state === 'online',
    }, ofCall, events), traceparent);
  flow = call;
  session.on('failed', () => call.hangUp());
  void call.start();
}

const phases: Partial<Record<Phase, string>> = { inCall: status.inCall, interrupted: status.interrupted, ended: status.ended };
const none = () => {};
const view: CallView = {
  phase: phase => {
    say(phases[phase] ?? status.incoming);
    if (phase === 'ended') end();
  },
  failed: problem => {
    say(textOf(problem).title);
    end();
  },
  step: none, localMedia: none, remoteMedia: none, relayed: none, held: none, connected: none, credentials: none, warning: none, recovered: none,
};

function end(): void {
  flow = undefined;
  callEnded();
}

/** The caller hangs up through the IMS, and that may be on its way. */
async function leave(): Promise<void> {
  if (flow) {
    await new Promise<void>(resolve => {
      callEnded = resolve;
      setTimeout(resolve, hangUpLimit);
    });
  }
  await close();
  tell({ state: 'closed' });
}

function close(): Promise<unknown> {
  flow?.hangUp();
  registration.goOffline();
  return closed ??= api.signOut().catch(none);
}

async function count(): Promise<void> {
  const statistics = await flow?.statistics();
  if (!statistics) return;
  find('demo-figures').hidden = false;
  find('demo-sent').textContent = statistics.packetsSent.toLocaleString('en');
  find('demo-received').textContent = statistics.packetsReceived.toLocaleString('en');
}

function say(text: string): void {
  find('demo-status').textContent = text;
}

function tell(message: DemoMessage): void {
  parent.postMessage(message, location.origin);
}

addEventListener('message', ({ source, origin, data }) => {
  if (source === parent && origin === location.origin && data === 'close') void leave();
});
addEventListener('pagehide', () => {
  void close();
  flushSpans();
});
setInterval(() => void count(), 1000);
followTheme();
if (parent === window) location.replace('/');
else void enter();
