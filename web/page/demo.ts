import { Api } from './call/api.ts';
import { CallFlow } from './call/callFlow.ts';
import type { CallView, Phase } from './call/callView.ts';
import { find } from '../shared/dom.ts';
import type { DemoMessage } from './ui/demoLine.ts';
import { type IncomingCall, type OnlineState, Registration } from './ims/registration.ts';
import { SipCall } from './ims/sipCall.ts';
import { type Problem, problemOf } from './call/problem.ts';
import { sendSpans } from './telemetry/sendSpans.ts';
import { fillTexts } from '../shared/texts/fillTexts.ts';
import { formats, texts } from '../shared/texts/language.ts';
import { problemText } from '../shared/texts/problemText.ts';
import { followTheme } from '../shared/theme.ts';

/**
 * The demo line: a page in a frame, and a client like any other. It continues as a guest, with a session and an identity of the
 * pool, a connection to the IMS and TURN credentials of its own. It answers one caller with a generated picture and tone, and leaves
 * when the page around it says so or closes.
 */

fillTexts(texts.demo);

const options = { video: true, transport: 'auto', relayOnly: true, devices: {}, isCallee: true, generated: true } as const;
const hangUpLimit = 1_000;

const expected = decodeURIComponent(location.hash.slice(1));
const flushSpans = sendSpans();
const api = new Api(`/api/demo/${crypto.randomUUID()}`);
const registration = new Registration(api, texts.labels.anonymous, { onstate: register, onincoming: answer });
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
  if (!flow) showStatus(problem ? problemText(problem).title : texts.online[state]);
  const { identity } = registration;
  if (state === 'online' && identity) {
    const name = identity.display_name ?? identity.impu;
    find('demo-name').textContent = texts.labels.demoLineOf(name);
    find('demo-impu').textContent = identity.impu;
    sendToPage({ state, impu: identity.impu, name });
  } else if (problem) sendToPage({ state: 'failed', code: problem.code });
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

const phases: Partial<Record<Phase, string>> = { inCall: texts.status.inCall, interrupted: texts.status.interrupted, ended: texts.status.ended };
const none = () => {};
const view: CallView = {
  phase: phase => {
    showStatus(phases[phase] ?? texts.status.incoming);
    if (phase === 'ended') end();
  },
  failed: problem => {
    showStatus(problemText(problem).title);
    end();
  },
  step: none, localMedia: none, remoteMedia: none, relayed: none, held: none, video: none, connected: none,
  interrupted: none, credentials: none, warning: none, recovered: none,
};

function end(): void {
  flow = undefined;
  callEnded();
}

/** The caller hangs up through the IMS. Its BYE may still be on the way. */
async function leave(): Promise<void> {
  if (flow) {
    await new Promise<void>(resolve => {
      callEnded = resolve;
      setTimeout(resolve, hangUpLimit);
    });
  }
  await close();
  sendToPage({ state: 'closed' });
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
  find('demo-sent').textContent = formats.count(statistics.packetsSent);
  find('demo-received').textContent = formats.count(statistics.packetsReceived);
}

function showStatus(text: string): void {
  find('demo-status').textContent = text;
}

function sendToPage(message: DemoMessage): void {
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
