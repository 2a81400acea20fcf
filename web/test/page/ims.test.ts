import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diagnostics } from '../../page/ui/diagnostics.ts';
import { addressOf, callerOf, isSameAddress, offersVideo, readableName, shortName } from '../../page/ims/addresses.ts';
import { enoughAfter, gatheringState, giveUpAfter, isRestart, userFragments } from '../../page/ims/gathering.ts';
import { mediaLostReason, problemOfAnswer, problemOfEnd, problemOfReason, registrationProblem } from '../../page/ims/sipProblems.ts';
import { Problem } from '../../page/call/problem.ts';

// --- Addresses

test('a name is somebody of the home domain', () => assert.equal(addressOf(' bob ', 'home.example'), 'sip:bob@home.example'));
test('an address is taken as it is', () => {
  assert.equal(addressOf('bob@other.example', 'home.example'), 'sip:bob@other.example');
  assert.equal(addressOf('sip:guest-7@home.example', 'x'), 'sip:guest-7@home.example');
  assert.equal(addressOf('+441632960083', 'home.example'), 'sip:+441632960083@home.example');
});
test('what cannot be an address is none', () => {
  for (const text of ['', 'bob smith', 'bob@', '@home', 'a@b@c', 'bob<x>', 'bob\r\nVia: x', 'sip:']) assert.equal(addressOf(text, 'home.example'), undefined, text);
});
test('of an address without a name the user part is shown', () => {
  assert.equal(shortName('sip:bob@home.example'), 'bob');
  assert.equal(shortName('tel:+441632960083;phone-context=x'), '+441632960083');
});

test('an address is shown as a name', () => {
  for (const [impu, name] of [['sip:guest-13@home.example', 'Guest 13'], ['bob', 'Bob'], ['sip:anna.maria@x', 'Anna Maria'], ['tel:+44', '+44'], ['sip:@x', 'sip:@x']] as const)
    assert.equal(readableName(impu), name);
});
test('one identity may be written in several ways', () => {
  assert.ok(isSameAddress('sip:bob@Home.example', 'sip:bob@home.example;transport=ws'));
  for (const other of ['sip:Bob@home.example', 'sip:bob@other.example', 'sip:bo@home.example']) assert.ok(!isSameAddress('sip:bob@home.example', other), other);
});

test('the caller is who the network asserts', () => {
  assert.deepEqual(callerOf('"Alice \\"A\\" B" <sip:alice@home.example>', '?'), { name: 'Alice "A" B', impu: 'sip:alice@home.example' });
  assert.deepEqual(callerOf('Alice <sip:alice@home.example>, <tel:+1>', '?'), { name: 'Alice', impu: 'sip:alice@home.example' });
  assert.deepEqual(callerOf('<sip:guest-7@home.example>', '?'), { name: 'Guest 7', impu: 'sip:guest-7@home.example' });
  assert.deepEqual(callerOf('sip:bob@home.example', '?'), { name: 'Bob', impu: 'sip:bob@home.example' });
});
test('without an asserted identity the caller is anonymous', () => {
  for (const value of [undefined, '', 'nonsense']) assert.deepEqual(callerOf(value, 'Anonymous'), { name: 'Anonymous', impu: undefined });
});

// --- Gathering

test('gathering that is complete is enough at once', () => assert.equal(gatheringState(40, 1, true), 'enough'));
test('a candidate does not end the wait before 0.6 s: another server may answer', () => assert.equal(gatheringState(enoughAfter - 1, 1, false), 'wait'));
test('a call that is restored waits less for a server that may be gone', () => {
  assert.equal(gatheringState(299, 1, false, 300), 'wait');
  assert.equal(gatheringState(300, 1, false, 300), 'enough');
});
test('a dead second server costs 0.6 s', () => assert.equal(gatheringState(enoughAfter, 1, false), 'enough'));
test('without a candidate the wait goes on until the last moment', () => {
  assert.equal(gatheringState(giveUpAfter - 1, 0, false), 'wait');
  assert.equal(gatheringState(giveUpAfter, 0, false), 'failed');
});
test('complete without a candidate has failed', () => assert.equal(gatheringState(40, 0, true), 'failed'));
test('an ICE restart is known by its new name', () =>
  assert.deepEqual([...userFragments('v=0\r\na=ice-ufrag:AbC+\r\na=ice-pwd:x\r\nm=video\r\na=ice-ufrag:AbC+\r\na=ice-ufrag:d/1\r\n')], ['AbC+', 'd/1']));

test('a description with the old names is not a restart', () => {
  const before = userFragments('a=ice-ufrag:one\r\n');
  assert.equal(isRestart(before, 'v=0\r\na=ice-ufrag:one\r\n'), false);
  assert.equal(isRestart(before, 'v=0\r\na=ice-ufrag:two\r\n'), true);
  assert.equal(isRestart(before, 'v=0\r\n'), false);
});

// --- How calls end

test('a hang-up of either side is not a problem', () => {
  assert.equal(problemOfEnd('Terminated', undefined), undefined);
  assert.equal(problemOfEnd('Canceled', undefined), undefined);
});
test('every refusal has its reason', () =>
  assert.deepEqual([403, 404, 408, 480, 486, 488, 503, 603].map(status => problemOfEnd('x', status)!.code),
    ['call_forbidden', 'nobody_there', 'no_answer', 'not_online', 'busy', 'no_common_format', 'ims_overloaded', 'declined']));
test('an answer without a text of its own is told by its number', () => assert.equal(problemOfAnswer(513).detail, 'SIP 513'));
test('the browser\'s own problem tells more than the code that was answered for it', () =>
  assert.equal(problemOfEnd('WebRTC Error', 500, new Problem('turn_401'))!.code, 'turn_401'));
test('a lost connection is not an answer', () => assert.equal(problemOfEnd('Connection Error', undefined)!.code, 'ims_unavailable'));

test('the reason of a BYE: lost media of either side, and nothing for a hang-up', () => {
  const header = mediaLostReason.slice('Reason: '.length);
  for (const value of [header, 'release_cause ; cause=3', 'Q.850;cause=16, RELEASE_CAUSE;text="x";cause=2', 'SIP ;cause=408; text="RTP Timeout"'])
    assert.equal(problemOfReason(value)?.code, 'connection_lost_there', value);
  for (const value of [undefined, '', 'SIP;cause=200', 'RELEASE_CAUSE;cause=1;text="User ends call"', 'SIP;cause=503', 'Q.850;cause=2'])
    assert.equal(problemOfReason(value), undefined, value);
});

test('only a refusal of the identity ends the tries to register', () => {
  assert.deepEqual([undefined, 401, 403, 500, 503].map(status => registrationProblem(status).isFinal), [false, false, true, false, false]);
});

// --- Diagnostics

test('diagnostics tell the path and no person', () => {
  const text = diagnostics({
    at: new Date(0), browser: 'B', page: 'http://p', online: 'online', phase: 'inCall', traceId: 'abc', problem: new Problem('busy', { detail: 'SIP 486' }),
    checks: [{ name: 'udp', problem: undefined, took: 12 }, { name: 'tcp', problem: new Problem('turn_unreachable'), took: 8000 }],
    statistics: {
      packetsSent: 3, packetsReceived: 2, packetsLost: 1, bytesSent: 0, bytesReceived: 0, jitter: undefined, roundTripTime: 4, codecs: ['audio/opus'],
      local: { type: 'relay', address: '192.0.2.1:5', relayProtocol: 'udp' }, remote: { type: 'relay', address: '192.0.2.2:5', relayProtocol: undefined },
    },
  });
  for (const line of ['trace id: abc', 'last problem: busy, SIP 486', 'check udp: ok, 12 ms', 'check tcp: turn_unreachable', 'path: relay (udp) to relay'])
    assert.ok(text.split('\n').includes(line), line);
  assert.ok(!text.includes('192.0.2'));
});

test('a picture that is offered only in the bundle, as Firefox does, is one', () => {
  const offer = (video: string) => `v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=bundle-only\r\nm=video ${video}\r\na=sendrecv\r\n`;
  assert.ok(offersVideo(offer('9 UDP/TLS/RTP/SAVPF 96')));
  assert.ok(offersVideo(offer('0 UDP/TLS/RTP/SAVPF 96\r\na=bundle-only')));
  assert.ok(!offersVideo(offer('0 UDP/TLS/RTP/SAVPF 96')));
  assert.ok(!offersVideo('v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n'));
});
