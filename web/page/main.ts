import { Account } from './ui/account.ts';
import { Alerts } from './ui/alerts.ts';
import { Api, type Session } from './call/api.ts';
import { type CheckResult, checkNames, isNotOffered, runChecks } from './ims/checks.ts';
import { DeviceChoice } from './ui/devices.ts';
import { diagnostics } from './ui/diagnostics.ts';
import { el, find } from '../shared/dom.ts';
import { CallHistory } from './phone/history.ts';
import { invitedUser } from './phone/invitation.ts';
import { Names } from './phone/names.ts';
import { readableName } from './ims/addresses.ts';
import { HistoryList } from './ui/historyList.ts';
import { Invitation } from './ui/invitation.ts';
import { NotificationChoice } from './ui/notificationChoice.ts';
import { Registration } from './ims/registration.ts';
import { missingInBrowser } from './call/media.ts';
import { canUsePasskeys, logInWithPasskey } from './call/passkeys.ts';
import { People } from './ui/people.ts';
import { Phone } from './ui/phone.ts';
import { Problem, problemOf } from './call/problem.ts';
import { StageMode } from './stage/stageMode.ts';
import { story } from './stage/story.ts';
import { chooseWords } from './stage/words.ts';
import { sendSpans } from './telemetry/sendSpans.ts';
import { fillTexts } from '../shared/texts/fillTexts.ts';
import { formats, texts } from '../shared/texts/language.ts';
import { problemText } from '../shared/texts/problemText.ts';
import { bindTheme } from '../shared/theme.ts';
import { keypad, Tones } from './ui/tones.ts';
import { offerWhatHappened } from './ui/whatHappened.ts';

/** Connects the parts of the page: the session, the registration with the IMS, the telephone. */

fillTexts(texts.page);

const reloadSessionAfter = 4_000;

const flushSpans = sendSpans();
const api = new Api();
const alerts = new Alerts();
const tones = new Tones();
const devices = new DeviceChoice(kind => void phone.changeDevice(kind), problem => alerts.show(problem));
const registration = new Registration(api, texts.labels.anonymous, {
  onstate: state => {
    renderOnline();
    if (state === 'offline') people.show(undefined);
    if (state === 'online') useIdentity();
  },
  onincoming: call => phone.ring(call),
  onpeople: online => people.show(online),
});
const names = new Names();
const history = new CallHistory(localStorage);
const phone = new Phone({ api, alerts, registration, devices, tones, names, history }, {
  onchange: () => render(), onhistory: () => historyList.render(), onsignin: askToSignIn,
});
const account = new Account(api, alerts, { onchange: async () => useSession(await api.session()), onlogin: askToLogInAgain });
const people = new People(names, impu => phone.callPerson(impu), impu => {
  showTransfer(false);
  void phone.transfer(impu);
});
const historyList = new HistoryList(history, call => phone.callAgain(call));
const invitation = new Invitation();
new NotificationChoice();

const passwordField = find<HTMLInputElement>('password');
const userNameField = find<HTMLInputElement>('user-name');
const addressField = find<HTMLInputElement>('to');

let session: Session | undefined;
/** Set while the user is asked to sign in again. Continues the action that needed a session. */
let afterSignIn: (() => void) | undefined;
/** The user is signed in, and a change needs a recent log-in. */
let logsInAgain = false;
let checkResults: CheckResult[] = [];
/** The person that the page's address asks to call. */
let invited = invitedUser(location.search);
/** The invited person is called as soon as the page is online. */
let callsWhenOnline = false;

// --- Session

async function loadSession(): Promise<void> {
  if (!session) find('status').textContent = texts.status.loading;
  try {
    useSession(await api.session());
    alerts.clear();
    const missing = missingInBrowser();
    if (missing) alerts.show(missing);
    showExternalProblem();
  } catch (thrown) {
    alerts.show(problemOf(thrown), { retry: () => void loadSession() });
    setTimeout(() => { if (!session) void loadSession(); }, reloadSessionAfter);
  }
}

function useSession(current: Session): void {
  session = current;
  const signedIn = isSignedIn();
  find('who').textContent = signedIn ? current.user ?? texts.labels.guest : '';
  if (phone.phase === 'idle') find('status').textContent = signedIn ? texts.status.ready : texts.status.signedOut;
  if (signedIn) registration.goOnline();
  render();
}

function isSignedIn(): boolean {
  return !!session && (session.user !== null || session.anonymous === true);
}

/** Signs in, then goes on with the call that was waiting for it, or `calls` the invited person. */
async function signIn(enter: () => Promise<Session>, calls = false): Promise<void> {
  setBusy(true);
  callsWhenOnline = calls;
  try {
    const entered = await enter();
    passwordField.value = '';
    setInvalid(false);
    alerts.clear();
    const goOn = afterSignIn;
    afterSignIn = undefined;
    // Another user may have another identity. A running call keeps its identity.
    if (!phone.isTalking) registration.goOffline();
    useSession(entered);
    find(phone.isBusy ? 'hang-up' : 'to').focus();
    goOn?.();
  } catch (thrown) {
    const problem = problemOf(thrown);
    const wrongPassword = problem.code === 'login_failed' || problem.code === 'locked_out';
    setInvalid(wrongPassword);
    alerts.show(problem, wrongPassword || problem.code.startsWith('passkey') ? {} : { retry: () => void signIn(enter, calls) });
    if (wrongPassword) passwordField.select();
  } finally {
    setBusy(false);
  }
}

async function signOut(): Promise<void> {
  phone.close();
  registration.goOffline();
  try {
    const left = await api.signOut();
    history.clear();
    historyList.render();
    phone.clear();
    useSession(left);
    find('guest').focus();
  } catch (thrown) {
    alerts.show(problemOf(thrown), { retry: () => void signOut() });
  }
}

/** Leaves the page for the external provider, which sends the browser back. */
async function logInElsewhere(): Promise<void> {
  setBusy(true);
  try {
    location.assign(await api.externalLogin());
  } catch (thrown) {
    setBusy(false);
    alerts.show(problemOf(thrown), { retry: () => void logInElsewhere() });
  }
}

/** After a failed log-in at the provider, the address has the reason. */
function showExternalProblem(): void {
  const code = new URLSearchParams(location.search).get('problem');
  if (!code) return;
  window.history.replaceState(null, '', location.pathname);
  alerts.show(new Problem(code));
}

function askToSignIn(goOn: () => void): void {
  if (afterSignIn) return;
  afterSignIn = goOn;
  render();
  find('guest').focus();
}

/** Before a change that needs a recent log-in. It ends no call, because a call hides what could be changed. */
function askToLogInAgain(goOn: () => void): void {
  logsInAgain = true;
  userNameField.value = session?.user ?? '';
  askToSignIn(goOn);
  find(session?.password_login === false ? 'passkey' : 'password').focus();
}

function notNow(): void {
  afterSignIn = undefined;
  alerts.clear();
  render();
}

function setBusy(busy: boolean): void {
  for (const id of ['guest', 'log-in', 'passkey', 'external']) find<HTMLButtonElement>(id).disabled = busy;
}

function setInvalid(invalid: boolean): void {
  for (const field of [userNameField, passwordField]) field.ariaInvalid = invalid ? 'true' : null;
}

// --- What is shown

function render(): void {
  if (phone.phase === 'ended') afterSignIn = undefined;
  if (!afterSignIn) logsInAgain = false;
  const [signedIn, busy, ringing] = [isSignedIn(), phone.isBusy, phone.incoming !== undefined];
  const { other } = phone;
  const free = signedIn && !busy && afterSignIn === undefined;
  const withPerson = phone.isTalking && phone.isWithPerson;
  show({
    entry: !!session && (!signedIn || afterSignIn !== undefined),
    who: signedIn,
    'sign-out': signedIn,
    online: signedIn,
    incoming: ringing,
    'other-line': other !== undefined,
    'own-calls': free && !ringing,
    dial: free && !ringing,
    call: free,
    'video-choice': free,
    'people-section': free && !ringing,
    options: (free && !ringing) || phone.isTalking,
    'before-call': free,
    'check-before': free,
    account: free && session?.user != null,
    'passkeys-section': canUsePasskeys(),
    'password-form': session?.password_login !== false,
    guest: !logsInAgain,
    'or-log-in': !logsInAgain,
    'log-in-form': session?.password_login !== false,
    'not-now': logsInAgain,
    passkey: canUsePasskeys(),
    external: !!session?.external_login,
    'hang-up': busy,
    mute: phone.isTalking,
    'camera-on': phone.isTalking,
    listen: phone.isTalking && !phone.isWithPerson,
    hold: withPerson,
    keys: withPerson,
    transfer: withPerson,
    'call-timer': phone.isTimed,
    trace: find('trace-id').textContent !== '',
  });
  find('external').textContent = texts.labels.externalLogin(session?.external_login ?? '');
  if (!signedIn) account.clear();
  if (!withPerson) showKeypad(false);
  if (!withPerson) showTransfer(false);
  people.busyWith = phone.line?.impu;
  phone.renderIncoming();
  if (other) find('other-line-text').textContent = texts.labels.otherOnHold(other.name);
  find('guest').textContent = invited && !signedIn ? texts.labels.invitedTo(readableName(invited)) : texts.labels.continueAsGuest;
  find('camera-on').ariaPressed = String(phone.sendsVideo);
  renderOnline();
}

/** Shows the elements with true and hides the others. */
function show(visible: Record<string, boolean>): void {
  for (const [id, isVisible] of Object.entries(visible)) find(id).hidden = !isVisible;
}

function renderOnline(): void {
  const { state, identity, problem } = registration;
  find('online').dataset.state = state;
  const text = texts.online[state];
  if (find('online-state').textContent !== text) find('online-state').textContent = text;
  const isKnown = isSignedIn() && identity !== undefined && (state === 'online' || state === 'reconnecting');
  show({
    'go-online': isSignedIn() && state === 'offline',
    // It has its place before it is known. Otherwise the call button would move away from a pointer.
    identity: isSignedIn() && state !== 'offline',
    'online-problem': isSignedIn() && problem !== undefined,
  });
  find('online-problem').textContent = problem ? problemText(problem).text : '';
  find('identity').dataset.known = String(isKnown);
  find('own-name').textContent = isKnown ? identity.display_name ?? identity.impu : '';
  find('own-impu').textContent = isKnown ? identity.impu : '';
  find<HTMLButtonElement>('demo-line').disabled = state !== 'online';
}

function renderCallLabel(): void {
  find('call-label').textContent = addressField.value.trim() === '' ? texts.labels.testCall : texts.labels.call;
}

/** The page is online, with an identity that may be another one than before. */
function useIdentity(): void {
  const { identity } = registration;
  if (!identity) return;
  history.openFor(identity.impu);
  historyList.render();
  invitation.render(identity.impu);
  if (!invited) return;
  const user = invited;
  invited = undefined;
  window.history.replaceState(null, '', location.pathname);
  addressField.value = names.of(user);
  renderCallLabel();
  if (callsWhenOnline) phone.dial(user);
  else find('call').focus();
  callsWhenOnline = false;
}

function showTransfer(open: boolean): void {
  if (open) showKeypad(false);
  if (open) showKeypad(false);
  find('transfer-panel').hidden = !open;
  find('transfer').ariaExpanded = String(open);
}

function showKeypad(open: boolean): void {
  if (open) showTransfer(false);
  if (open) showTransfer(false);
  find('keypad').hidden = !open;
  find('keys').ariaExpanded = String(open);
}

// --- Check before a call, diagnostics

async function check(): Promise<void> {
  const button = find<HTMLButtonElement>('run-checks');
  button.disabled = true;
  checkResults = [];
  const rows = new Map(checkNames.map(name =>
    [name, el('li', { 'data-testid': `check-${name}`, 'data-state': 'running' }, `${texts.checks[name]}: ${texts.labels.checking}`)]));
  find('checks').replaceChildren(...rows.values());
  await runChecks(api, registration, devices.chosen, AbortSignal.timeout(30_000), result => {
    checkResults.push(result);
    const row = rows.get(result.name)!;
    row.dataset.state = isNotOffered(result) ? 'absent' : result.problem ? 'failed' : 'works';
    row.textContent = `${texts.checks[result.name]}: ${
      isNotOffered(result) ? texts.labels.notOffered : result.problem ? problemText(result.problem).text : texts.labels.works(formats.duration(result.took))}`;
  });
  button.disabled = false;
}

async function copy(button: HTMLElement, text: string, done: string, before: string): Promise<void> {
  await navigator.clipboard.writeText(text);
  button.textContent = done;
  setTimeout(() => { button.textContent = before; }, 2000);
}

// --- Bindings

find('guest').addEventListener('click', () => {
  // The button says so.
  void signIn(() => api.continueAsGuest(), invited !== undefined);
});
find('log-in-form').addEventListener('submit', event => {
  event.preventDefault();
  const [userName, password] = [userNameField.value.trim(), passwordField.value];
  void signIn(() => api.logIn(userName, password));
});
find('passkey').addEventListener('click', () => void signIn(() => logInWithPasskey(api)));
find('external').addEventListener('click', () => void logInElsewhere());
find('not-now').addEventListener('click', notNow);
find('sign-out').addEventListener('click', () => void signOut());
find('go-online').addEventListener('click', () => registration.goOnline());
find('dial').addEventListener('submit', event => {
  event.preventDefault();
  phone.dial(addressField.value);
});
addressField.addEventListener('input', renderCallLabel);
find('demo-line').addEventListener('click', () => void phone.callDemoLine());
find('accept').addEventListener('click', () => void phone.accept(false));
find('accept-video').addEventListener('click', () => void phone.accept(true));
find('decline').addEventListener('click', () => phone.decline());
find('incoming').addEventListener('keydown', event => { if (event.key === 'Escape') phone.decline(); });
find('hang-up').addEventListener('click', () => phone.hangUp());
find('swap').addEventListener('click', () => void phone.swap());
find('transfer').addEventListener('click', () => showTransfer(find('transfer-panel').hidden === true));
find('transfer-panel').addEventListener('keydown', event => {
  if (event.key !== 'Escape') return;
  showTransfer(false);
  find('transfer').focus();
});
bindToggle('mute', pressed => phone.mute(pressed));
find('camera-on').addEventListener('click', () => void phone.turnCamera(!phone.sendsVideo));
bindToggle('listen', pressed => phone.listen(pressed));
find('hold').addEventListener('click', () => void phone.hold(find('hold').ariaPressed !== 'true'));
find('keys').addEventListener('click', () => showKeypad(find('keypad').hidden === true));
find('keypad').append(...keypad.flatMap(row => [...row]).map(key => {
  const label = { '*': texts.labels.star, '#': texts.labels.hash }[key] ?? key;
  return el('button', { type: 'button', 'aria-label': label, 'data-testid': `key-${key}`, onclick: () => phone.key(key) }, key);
}));
find('run-checks').addEventListener('click', () => void check());
find('copy-trace').addEventListener('click', () => void copy(find('copy-trace'), find('trace-id').textContent ?? '', texts.labels.copied, texts.labels.copy));
find('copy-diagnostics').addEventListener('click', () => void copy(find('copy-diagnostics'), diagnostics({
  at: new Date(), browser: navigator.userAgent, page: location.origin, online: registration.state, phase: phone.phase, traceId: phone.traceId,
  problem: phone.problem ?? registration.problem, checks: checkResults, statistics: phone.statistics,
}), texts.labels.diagnosticsCopied, texts.labels.copyDiagnostics));
for (const action of ['pointerdown', 'keydown']) addEventListener(action, () => tones.wake(), { capture: true });
// The keyboard's digits work while the keypad is open.
addEventListener('keydown', event => {
  if (!find('keypad').hidden && /^[0-9*#]$/.test(event.key) && !event.ctrlKey && !event.metaKey) phone.key(event.key);
});
addEventListener('online', () => {
  if (!session) void loadSession();
  registration.check();
});
addEventListener('pagehide', () => {
  phone.close();
  registration.goOffline();
  flushSpans();
});
addEventListener('pageshow', event => { if (event.persisted && isSignedIn()) registration.goOnline(); });

function bindToggle(id: string, toggled: (pressed: boolean) => void): void {
  const button = find(id);
  button.addEventListener('click', () => {
    const pressed = button.ariaPressed !== 'true';
    button.ariaPressed = String(pressed);
    toggled(pressed);
  });
}

const theme = find('theme');
bindTheme(theme, isDark => { theme.ariaPressed = String(isDark); });
find('far-name').textContent = texts.labels.farEnd;
find('retry').textContent = texts.labels.tryAgain;
find('copy-trace').textContent = texts.labels.copy;
find('copy-diagnostics').textContent = texts.labels.copyDiagnostics;
api.ontoken = token => void story.keep(token);
const stageMode = new StageMode({
  stage: () => api.stage(),
  cheat: name => api.demonstrate(`cheats/${name}`),
  openEnvelope: relay => api.demonstrate('envelope', { relay }),
  breakPart: name => api.demonstrate(`parts/${name}/break`),
});
find('stage-open').addEventListener('click', () => stageMode.open());
for (const button of document.querySelectorAll<HTMLElement>('[data-words]')) button.addEventListener('click', () => chooseWords(button.dataset.words === 'plain' ? 'plain' : 'standard'));
renderCallLabel();
offerWhatHappened();
void loadSession();
