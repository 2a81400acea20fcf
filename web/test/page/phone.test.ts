import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mock, test } from 'node:test';
import type { RTCSession } from 'jssip/lib/RTCSession';
import { Problem } from '../../page/call/problem.ts';
import { announcement, CallFeatures, readMute, type Referral, referTarget, transferProblem } from '../../page/ims/features.ts';
import type { IncomingCall } from '../../page/ims/registration.ts';
import { Presence, readOnline } from '../../page/ims/presence.ts';
import { CallHistory, historyLimit, type PastCall } from '../../page/phone/history.ts';
import { invitationTo, invitedUser, isOnlyHere } from '../../page/phone/invitation.ts';
import { Line, type LineEvents, type LineScreen } from '../../page/phone/line.ts';
import { Names } from '../../page/phone/names.ts';
import { ringLimit, ringTime } from '../../page/phone/ringing.ts';

const own = { impu: 'sip:alice@home.example', realm: 'home.example' };

// --- Names

test('a typed name finds the person by the name that the page shows', () => {
  const names = new Names();
  names.learn('sip:bob@home.example', 'Bob');
  names.learn('sip:guest-13@home.example', 'Guest 13');
  for (const typed of ['bob', 'Bob', ' BOB ', 'sip:bob@home.example', 'bob@HOME.example']) assert.equal(names.find(typed, own.realm), 'sip:bob@home.example', typed);
  for (const typed of ['guest 13', 'Guest-13']) assert.equal(names.find(typed, own.realm), 'sip:guest-13@home.example', typed);
  assert.equal(names.find('guest 14', own.realm), undefined);
});
test('a person who is not online is called by the name in lower case, and shown by a readable one', () => {
  const names = new Names();
  assert.equal(names.find('Carol', own.realm), 'sip:carol@home.example');
  assert.equal(names.find('Carol@home.example', own.realm), 'sip:Carol@home.example');
  assert.equal(names.of('sip:guest-13@home.example'), 'Guest 13');
});

// --- History

class Memory {
  readonly items = new Map<string, string>();
  getItem(key: string) { return this.items.get(key) ?? null; }
  setItem(key: string, value: string) { this.items.set(key, value); }
  removeItem(key: string) { this.items.delete(key); }
}
const call = (name: string): PastCall => ({ direction: 'in', kind: 'person', name, impu: `sip:${name}@home.example`, video: false, at: 1, seconds: 0, outcome: 'missed' });

test('the newest calls are kept, up to a limit', () => {
  const history = new CallHistory(new Memory());
  history.openFor(own.impu);
  for (let i = 0; i < historyLimit + 5; i++) history.add(call(`${i}`));
  assert.equal(history.calls.length, historyLimit);
  assert.equal(history.calls[0]!.name, String(historyLimit + 4));
});
test('another identity of the browser does not see the calls, and a sign-out removes them', () => {
  const storage = new Memory();
  const history = new CallHistory(storage);
  history.openFor(own.impu);
  history.add(call('bob'));
  const again = new CallHistory(storage);
  again.openFor(own.impu);
  assert.deepEqual(again.calls.map(({ name }) => name), ['bob']);
  again.clear();
  assert.deepEqual([again.calls, storage.items.size], [[], 0]);
  again.add(call('after'));
  assert.equal(storage.items.size, 0);

  history.add(call('bob'));
  const other = new CallHistory(storage);
  other.openFor('sip:guest-1@home.example');
  assert.deepEqual([other.calls, storage.items.size], [[], 0]);
});
test('what somebody else wrote into the storage is left out', () => {
  const storage = new Memory();
  const history = new CallHistory(storage);
  for (const stored of ['', '[]', 'null', '{"calls":7}', JSON.stringify({ owner: own.impu, calls: [null, 1, { ...call('x'), at: 'then' }, { ...call('x'), direction: 'up' }] })]) {
    storage.items.set('calls', stored);
    history.openFor(own.impu);
    assert.deepEqual(history.calls, [], stored);
  }
});
test('a browser that stores nothing still makes calls', () => {
  const full = { getItem: () => null, setItem: () => { throw new Error('QuotaExceededError'); }, removeItem: () => { throw new Error('SecurityError'); } };
  const history = new CallHistory(full);
  history.openFor(own.impu);
  history.add(call('bob'));
  assert.deepEqual(history.calls, []);
});

// --- Ringing

test('a ringing call counts up, and down to its end', () => {
  assert.deepEqual(ringTime(1000, 1000), { passed: 0, left: ringLimit, isOver: false });
  assert.deepEqual(ringTime(1000, 13_500), { passed: 12, left: ringLimit - 12, isOver: false });
  assert.deepEqual(ringTime(1000, 1000 + 1000 * ringLimit), { passed: ringLimit, left: 0, isOver: false });
});
test('a call that nobody ends is given up a moment after its end', () => assert.equal(ringTime(0, 1000 * ringLimit + 2_001).isOver, true));

// --- Lines

const screen = () => {
  const drawn: unknown[][] = [];
  const record = (name: string) => (...values: unknown[]) => { if (name === 'step') drawn.push([name, ...values]); };
  return { drawn, screen: Object.fromEntries(['step', 'localMedia', 'remoteMedia', 'relayed', 'credentials', 'total', 'video', 'interrupted'].map(name => [name, record(name)])) as unknown as LineScreen };
};
const events = (heard: string[] = []): LineEvents => ({
  onphase: line => heard.push(line.phase), onheld: () => heard.push('held'), onwarning: () => heard.push('warning'),
  onrecovered: () => heard.push('recovered'), onfailed: (_, problem) => heard.push(problem.code),
});
const toBob = () => new Line({ kind: 'person', address: 'sip:bob@home.example', name: 'Bob', isDemo: false }, { video: false, generated: false, began: 5 });

test('a line that is shown again draws its last state, and nothing while it is hidden', () => {
  const [line, first, second] = [toBob(), screen(), screen()];
  const view = line.view(events());
  line.show(first.screen);
  view.step(1, 'active');
  view.step(1, 'done', 12);
  line.detach();
  view.step(2, 'done', 30);
  assert.deepEqual(first.drawn, [['step', 1, 'active', undefined], ['step', 1, 'done', 12]]);

  line.show(second.screen);
  assert.deepEqual(second.drawn, [['step', 1, 'done', 12], ['step', 2, 'done', 30]]);
  view.step(3, 'active');
  assert.equal(second.drawn.length, 3);
});
test('the timer of a line ends with the call', () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  let now = 0;
  const clock = mock.method(performance, 'now', () => now);
  const line = toBob();
  const view = line.view(events());
  assert.equal(line.seconds(now), 0);
  view.phase('ringing');
  now = 5_000;
  view.connected(5_000);
  view.phase('inCall');
  now = 12_000;
  assert.equal(line.seconds(now), 7);
  view.phase('ended');
  assert.equal(line.seconds(90_000), 7);
  assert.deepEqual(line.past(), { direction: 'out', kind: 'person', name: 'Bob', impu: 'sip:bob@home.example', video: false, at: 5, seconds: 7, outcome: 'answered' });
  clock.mock.restore();
  mock.timers.reset();
});
test('each end has its outcome in the list of calls', () => {
  const outcome = (end: (line: Line) => void) => {
    const line = toBob();
    end(line);
    return line.past().outcome;
  };
  assert.equal(outcome(line => line.view(events()).phase('ended')), 'cancelled');
  assert.equal(outcome(line => line.view(events()).failed(new Problem('busy'), undefined)), 'busy');
  assert.equal(outcome(line => {
    line.outcome = 'transferred';
    line.view(events()).phase('ended');
  }), 'transferred');
});
test('a line ends once', () => {
  const heard: string[] = [];
  const view = toBob().view(events(heard));
  view.failed(new Problem('busy'), undefined);
  view.phase('ended');
  view.failed(new Problem('call_failed'), undefined);
  assert.deepEqual(heard, ['busy']);
});
test('the name that the network asserts replaces the dialled one, but not the name of the demo line', () => {
  const line = toBob();
  line.rename('Robert');
  assert.equal(line.name, 'Robert');
  const demo = new Line({ kind: 'person', address: 'sip:guest-2@home.example', name: 'Demo line, Guest 2', isDemo: true }, { video: false, generated: false, began: 0 });
  demo.rename('Guest 2');
  assert.equal(demo.name, 'Demo line, Guest 2');
});
test('a caller keeps the name that the eP-CSCF asserts', () => {
  const line = new Line({ kind: 'caller', call: { caller: { name: 'Bob', impu: undefined }, withVideo: false } as IncomingCall }, { video: false, generated: false, began: 0 });
  assert.deepEqual([line.name, line.past().direction, line.past().impu], ['Bob', 'in', undefined]);
});

// --- Links that call

test('a link names its own user, and is read again', () => {
  assert.equal(invitationTo('sip:guest-7@home.example', 'https://h:8443'), 'https://h:8443/?call=guest-7');
  assert.equal(invitedUser('?call=guest-7'), 'guest-7');
  assert.equal(invitedUser('?x=1&call=Bob'), 'bob');
});
test('an address that is not a user of this domain makes no link, and is not dialled', () => {
  assert.equal(invitationTo('tel:+44', 'https://h'), undefined);
  for (const search of ['', '?call=', '?call=a@evil.example', '?call=sip:bob', '?call=bob&call=carol', '?call=%3Cscript%3E', '?call=bob%0d%0aVia:x', '?call=.bob', '?call=bob.', '?call=b%20b', `?call=${'a'.repeat(65)}`])
    assert.equal(invitedUser(search), undefined, search);
});
test('a phone cannot open an address of this computer', () => {
  for (const host of ['localhost', '127.0.0.1', '[::1]', 'a.localhost']) assert.ok(isOnlyHere(host), host);
  for (const host of ['192.168.1.20', 'ims.example', 'localhost.example']) assert.ok(!isOnlyHere(host), host);
});

// --- Mute and transfer

type Handlers = Record<string, (event: unknown) => void>;
class FakeSession extends EventEmitter {
  readonly infos: { type: string; body: string; headers: string[] }[] = [];
  isUp = true;
  referred: { target: string; eventHandlers: Handlers } | undefined;
  isEstablished() { return this.isUp; }
  sendInfo(type: string, body: string, { extraHeaders }: { extraHeaders: string[] }) { this.infos.push({ type, body, headers: extraHeaders }); }
  refer(target: string, { eventHandlers }: { eventHandlers: Handlers }) { this.referred = { target, eventHandlers }; }
}
const message = (headers: Record<string, string>) => ({ hasHeader: (name: string) => name in headers, getHeader: (name: string) => headers[name] });
function features(invite?: Record<string, string>) {
  const session = new FakeSession();
  const heard: { muted: boolean[]; referrals: Referral[]; names: string[] } = { muted: [], referrals: [], names: [] };
  const made = new CallFeatures(session as unknown as RTCSession, invite && message(invite), own, {
    onmuted: muted => heard.muted.push(muted), onreferred: referral => heard.referrals.push(referral), onname: name => heard.names.push(name),
  });
  return { session, made, heard };
}
const recvInfo = { 'Recv-Info': announcement.replace('Recv-Info: ', '') };

test('mute goes to a page that understands it, and only when it changes', () => {
  const { session, made } = features(recvInfo);
  made.mute(false);
  made.mute(true);
  made.mute(true);
  made.mute(false);
  assert.deepEqual(session.infos.map(({ body }) => body), ['{"muted":true}', '{"muted":false}']);
  assert.ok(session.infos[0]!.headers.includes('Info-Package: webrtcims-mute'));
});
test('the caller learns from the answer that the callee understands mute', () => {
  const { session, made } = features();
  made.mute(true);
  assert.equal(session.infos.length, 0);
  session.emit('accepted', { response: message({ 'Recv-Info': 'g.other, webrtcims-mute' }) });
  made.mute(true);
  assert.equal(session.infos.length, 1);
});
test('a phone without the package is sent nothing, and neither is a call that is over', () => {
  const other = features({ 'Recv-Info': 'webrtcims-muted' });
  other.made.mute(true);
  assert.equal(other.session.infos.length, 0);
  const ended = features(recvInfo);
  ended.session.isUp = false;
  ended.made.mute(true);
  assert.equal(ended.session.infos.length, 0);
});
test('the mute of the other side is heard, and nothing else in INFO', () => {
  const { session, heard } = features();
  const info = (originator: string, body: string, name = 'webrtcims-mute') => session.emit('newInfo', { originator, info: { body }, request: message({ 'Info-Package': name }) });
  info('remote', '{"muted":true}');
  info('local', '{"muted":true}');
  info('remote', '{"muted":true}', 'other');
  for (const body of ['', 'muted', '{"muted":1}', 'null', '[]']) info('remote', body);
  info('remote', '{"muted":false}');
  assert.deepEqual(heard.muted, [true, false]);
  assert.equal(readMute('null'), undefined);
});
test('the name of the callee is the one that the network asserts', () => {
  const { session, heard } = features();
  session.emit('progress', { response: message({ 'P-Asserted-Identity': '"Bob" <sip:bob@home.example>' }) });
  session.emit('progress', { response: null });
  session.emit('accepted', { response: message({ 'P-Asserted-Identity': 'nonsense' }) });
  assert.deepEqual(heard.names, ['Bob']);
});

test('a page is transferred only to other people of its domain', () => {
  assert.equal(referTarget('sip:bob@home.example', own), 'sip:bob@home.example');
  assert.equal(referTarget('sip:bob@HOME.example', own), 'sip:bob@home.example');
  for (const uri of [
    '', 'sip:bob@evil.example', 'sip:home.example', 'sips:bob@home.example', 'tel:+44', 'sip:alice@home.example', 'sip:bob@home.example;method=BYE',
    'sip:bob@home.example?Replaces=x', 'sip:bob@home.example:5060', 'sip:bob@x@home.example', 'sip:bob@home.example>', 'sip:bob@home.example\r\nVia: x',
  ]) assert.equal(referTarget(uri, own), undefined, uri);
});
test('a REFER comes with the target that the policy leaves', () => {
  const { session, heard } = features();
  const ended: string[] = [];
  const refer = (uri: string) => session.emit('refer', {
    request: { refer_to: { uri: { toString: () => uri } } },
    accept: (begun: (session: unknown) => void) => begun('session'), reject: () => ended.push(uri),
  });
  refer('sip:bob@home.example');
  refer('sip:bob@evil.example');
  assert.deepEqual(heard.referrals.map(({ target }) => target), ['sip:bob@home.example', undefined]);
  assert.equal(heard.referrals[0]!.accept({}), 'session');
  heard.referrals[1]!.reject();
  assert.deepEqual(ended, ['sip:bob@evil.example']);
});
test('a transfer ends with the answer of the person, or with the reason', async () => {
  const transferred = features();
  const done = transferred.made.transfer('sip:bob@home.example');
  transferred.session.referred!.eventHandlers.accepted!({});
  await done;
  assert.equal(transferred.session.referred!.target, 'sip:bob@home.example');

  for (const [event, value, code] of [
    ['failed', { status_line: { status_code: 486 } }, 'transfer_busy'], ['failed', {}, 'transfer_failed'], ['requestFailed', {}, 'transfer_refused'],
  ] as const) {
    const { session, made } = features();
    const failing = made.transfer('sip:bob@home.example');
    session.referred!.eventHandlers[event]!(value);
    await assert.rejects(failing, { code });
  }
});
test('a transfer without an end is given up, and one in a call that ends is cancelled', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const silent = features().made.transfer('sip:bob@home.example');
  mock.timers.tick(90_000);
  await assert.rejects(silent, { code: 'transfer_failed' });
  const { session, made } = features();
  const ending = made.transfer('sip:bob@home.example');
  session.emit('ended');
  await assert.rejects(ending, { code: 'cancelled' });
  mock.timers.reset();
});
test('each reason of a failed transfer has a text', () =>
  assert.deepEqual([603, 486, 404, 480, 408, 500, NaN].map(transferProblem),
    ['transfer_refused', 'transfer_busy', 'transfer_unreachable', 'transfer_unreachable', 'transfer_unreachable', 'transfer_failed', 'transfer_failed']));

// --- Who is online

class FakeSubscriber extends EventEmitter {
  subscribed = 0;
  subscribe() { this.subscribed++; }
}
function agent() {
  const made: FakeSubscriber[] = [];
  const state = { connected: true };
  return { made, state, agent: { subscribe: () => made[made.push(new FakeSubscriber()) - 1] as never, isConnected: () => state.connected } };
}
const domain = {} as never;
const listOf = (...names: string[]) => JSON.stringify({ online: names.map(name => ({ impu: `sip:${name}@home.example`, display_name: name })) });

test('each list of the server is shown, and no other body', () => {
  const { made, agent: ua } = agent();
  const shown: string[][] = [];
  const presence = new Presence(online => shown.push(online.map(({ display_name }) => display_name)));
  presence.start(ua, domain);
  assert.equal(made[0]!.subscribed, 1);
  for (const body of [listOf(), listOf('Bob', 'Carol'), '', 'null', '{"online":1}', '{"online":[null,{"impu":1},{"impu":"sip:x","display_name":"X"}]}']) made[0]!.emit('notify', false, undefined, body);
  assert.deepEqual(shown, [[], ['Bob', 'Carol'], ['X']]);
  assert.equal(readOnline('{}'), undefined);
});
test('a new connection has a new subscription, and the former one is not heard any more', () => {
  const { made, agent: ua } = agent();
  let lists = 0;
  const presence = new Presence(() => lists++);
  presence.start(ua, domain);
  presence.stop();
  made[0]!.emit('notify', false, undefined, listOf());
  presence.start(ua, domain);
  made[0]!.emit('notify', false, undefined, listOf());
  made[0]!.emit('terminated', 6);
  made[1]!.emit('notify', false, undefined, listOf());
  assert.deepEqual([made.length, lists], [2, 1]);
});
test('a subscription that the server ends is made again, later each time, and only with a connection', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { made, state, agent: ua } = agent();
  new Presence(() => {}).start(ua, domain);
  made[0]!.emit('terminated', 6);
  mock.timers.tick(499);
  assert.equal(made.length, 1);
  mock.timers.tick(1);
  assert.equal(made.length, 2);
  made[1]!.emit('terminated', 6, 'x', 3);
  mock.timers.tick(2_999);
  assert.equal(made.length, 2);
  state.connected = false;
  mock.timers.tick(10_000);
  assert.equal(made.length, 2);
  mock.timers.reset();
});
