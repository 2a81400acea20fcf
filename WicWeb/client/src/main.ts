import { Alerts } from './alerts.ts';
import { Api, type Session } from './api.ts';
import { CallFlow, type CallView, type Phase } from './callFlow.ts';
import { find, show } from './dom.ts';
import { Figures } from './figures.ts';
import { Ladder } from './ladder.ts';
import { type Problem, problemOf } from './problem.ts';
import { clock, duration } from './schedule.ts';
import { Stage } from './stage.ts';
import { labels, status } from './texts.ts';
import { bindTheme } from './theme.ts';
import type { Transport } from './turn.ts';

/** Ties the page together: the session, one call at a time, and what of it is shown where. */

const reloadSessionAfter = 4_000;

const api = new Api();
const alerts = new Alerts();
const figures = new Figures();
const stage = new Stage();
const ladder = new Ladder(find('ladder'), find('lane-names'));

const callButton = find<HTMLButtonElement>('call');
const muteButton = find<HTMLButtonElement>('mute');
const listenButton = find<HTMLButtonElement>('listen');
const passwordField = find<HTMLInputElement>('password');
const userNameField = find<HTMLInputElement>('user-name');

let session: Session | undefined;
let flow: CallFlow | undefined;
let phase: Phase | 'idle' = 'idle';
let connectedAt: number | undefined;
/** Set while the user is asked to sign in again: goes on with what the session was missing for. */
let afterSignIn: (() => void) | undefined;

// --- Session

async function loadSession(): Promise<void> {
  if (!session) say(status.loading);
  try {
    useSession(await api.session());
    alerts.clear();
  } catch (thrown) {
    alerts.show(problemOf(thrown), { retry: () => void loadSession() });
    setTimeout(() => { if (!session) void loadSession(); }, reloadSessionAfter);
  }
}

function useSession(current: Session): void {
  session = current;
  const signedIn = isSignedIn();
  find('who').textContent = signedIn ? current.user ?? labels.guest : '';
  if (phase === 'idle') say(signedIn ? status.ready : status.signedOut);
  render();
}

function isSignedIn(): boolean {
  return !!session && (session.user !== null || session.anonymous === true);
}

/** Signs in, then goes on with the call that was waiting for it. */
async function signIn(enter: () => Promise<Session>): Promise<void> {
  setBusy(true);
  try {
    const entered = await enter();
    passwordField.value = '';
    setInvalid(false);
    alerts.clear();
    const goOn = afterSignIn;
    afterSignIn = undefined;
    useSession(entered);
    (isBusy() ? find('hang-up') : callButton).focus();
    goOn?.();
  } catch (thrown) {
    const problem = problemOf(thrown);
    const wrongPassword = problem.code === 'login_failed';
    setInvalid(wrongPassword);
    alerts.show(problem, wrongPassword ? {} : { retry: () => void signIn(enter) });
    if (wrongPassword) passwordField.select();
  } finally {
    setBusy(false);
  }
}

async function signOut(): Promise<void> {
  flow?.hangUp();
  try {
    useSession(await api.signOut());
    clearCall();
    find('guest').focus();
  } catch (thrown) {
    alerts.show(problemOf(thrown), { retry: () => void signOut() });
  }
}

function askToSignIn(goOn: () => void): void {
  afterSignIn = goOn;
  render();
  find('guest').focus();
}

function setBusy(busy: boolean): void {
  for (const id of ['guest', 'log-in']) find<HTMLButtonElement>(id).disabled = busy;
}

function setInvalid(invalid: boolean): void {
  for (const field of [userNameField, passwordField]) field.ariaInvalid = invalid ? 'true' : null;
}

// --- Call

function startCall(generated = false): void {
  if (flow && isBusy()) return;
  alerts.clear();
  clearCall();
  const options = {
    video: find<HTMLInputElement>('with-video').checked,
    transport: find<HTMLSelectElement>('transport').value as Transport,
    generated,
  };
  find('stage').dataset.video = String(options.video);
  const started = new CallFlow(api, options, callView(() => flow === started, generated));
  flow = started;
  find('trace-id').textContent = started.trace.id;
  void started.start();
  find('hang-up').focus();
}

function clearCall(): void {
  ladder.reset();
  figures.clear();
  stage.clear();
  connectedAt = undefined;
  find('trace-id').textContent = '';
  find('total').textContent = '';
  setPressed(muteButton, false);
  setPressed(listenButton, false);
  setPhase('idle');
}

/** Events of a call that is no longer the current one are dropped. */
function callView(isCurrent: () => boolean, generated: boolean): CallView {
  const view: CallView = {
    phase: setPhase,
    step: (number, state, took) => ladder.set(number, state, took),
    localMedia: stream => stage.showNear(stream),
    remoteMedia: stream => stage.showFar(stream),
    relayed: candidate => figures.relayed(candidate),
    connected: sinceClick => {
      connectedAt = performance.now();
      find('total').textContent = labels.clickToMedia(duration(sinceClick));
    },
    credentials: credentials => figures.credentials(credentials),
    warning: (problem, interrupted) => {
      alerts.show(problem, problem.asksToSignIn ? {} : { retry: () => flow?.resume() }, interrupted && !problem.asksToSignIn);
      if (problem.asksToSignIn && !afterSignIn) askToSignIn(() => flow?.resume());
    },
    recovered: () => {
      afterSignIn = undefined;
      alerts.clear();
      say(status.inCall);
      render();
    },
    failed: (problem, step) => {
      find('total').textContent = step === undefined ? '' : labels.failedAt(step);
      callFailed(problem, generated);
    },
  };
  return Object.fromEntries(Object.entries(view).map(([name, handler]) =>
    [name, (...values: unknown[]) => { if (isCurrent()) (handler as (...values: unknown[]) => void)(...values); }])) as unknown as CallView;
}

function callFailed(problem: Problem, generated: boolean): void {
  alerts.show(problem, problem.asksToSignIn ? {} : { retry: () => startCall(generated), useTone: () => startCall(true) });
  setPhase('failed');
  if (problem.asksToSignIn) askToSignIn(() => startCall(generated));
  else find('retry').focus();
}

function isBusy(): boolean {
  return !['idle', 'ended', 'failed'].includes(phase);
}

function setPhase(next: Phase | 'idle'): void {
  const hadFocus = document.activeElement?.closest('.controls') !== null;
  phase = next;
  find('stage').dataset.phase = next;
  if (next === 'idle') say(isSignedIn() ? status.ready : status.signedOut);
  else if (next === 'media' && find<HTMLInputElement>('with-video').checked) say(status.mediaVideo);
  else say(status[next]);
  if (next === 'ended' || next === 'failed') {
    afterSignIn = undefined;
    stage.clear();
    figures.stop();
  }
  if (next === 'ended') alerts.clear();
  render();
  if (next === 'ended' && hadFocus) callButton.focus();
}

function render(): void {
  const [signedIn, busy] = [isSignedIn(), isBusy()];
  const talking = phase === 'inCall' || phase === 'interrupted';
  show({
    entry: !!session && (!signedIn || afterSignIn !== undefined),
    who: signedIn,
    'sign-out': signedIn,
    call: signedIn && !busy && afterSignIn === undefined,
    'video-choice': signedIn && !busy && afterSignIn === undefined,
    options: signedIn && !busy && afterSignIn === undefined,
    'hang-up': busy,
    mute: talking,
    listen: talking,
    'call-timer': connectedAt !== undefined,
    trace: find('trace-id').textContent !== '',
  });
}

function say(text: string): void {
  const line = find('status');
  if (line.textContent !== text) line.textContent = text;
}

function setPressed(button: HTMLButtonElement, pressed: boolean): void {
  button.ariaPressed = String(pressed);
}

async function eachSecond(): Promise<void> {
  figures.tick();
  if (!flow || connectedAt === undefined || !isBusy()) return;
  find('call-timer').textContent = clock((performance.now() - connectedAt) / 1000);
  const current = flow;
  const statistics = await current.statistics();
  if (statistics && flow === current && isBusy()) figures.show(statistics);
}

// --- Bindings

find('guest').addEventListener('click', () => void signIn(() => api.continueAsGuest()));
find('log-in-form').addEventListener('submit', event => {
  event.preventDefault();
  const [userName, password] = [userNameField.value.trim(), passwordField.value];
  void signIn(() => api.logIn(userName, password));
});
find('sign-out').addEventListener('click', () => void signOut());
callButton.addEventListener('click', () => startCall());
find('hang-up').addEventListener('click', () => flow?.hangUp());
muteButton.addEventListener('click', () => {
  const muted = muteButton.ariaPressed !== 'true';
  setPressed(muteButton, muted);
  flow?.mute(muted);
});
listenButton.addEventListener('click', () => {
  const listening = listenButton.ariaPressed !== 'true';
  setPressed(listenButton, listening);
  stage.listen(listening);
});
find('copy-trace').addEventListener('click', async () => {
  await navigator.clipboard.writeText(find('trace-id').textContent ?? '');
  find('copy-trace').textContent = labels.copied;
  setTimeout(() => { find('copy-trace').textContent = labels.copy; }, 2000);
});
addEventListener('online', () => { if (!session) void loadSession(); });
addEventListener('pagehide', () => flow?.hangUp());

bindTheme(find<HTMLButtonElement>('theme'));
setInterval(() => void eachSecond(), 1000);
void loadSession();
