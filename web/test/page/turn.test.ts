import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Problem } from '../../page/call/problem.ts';
import { othersFirst, relayConfiguration, type Transport, turnProblem, type TurnToken } from '../../page/call/turn.ts';

const token = (urls: string[], username = 'k1~token'): TurnToken =>
  ({ uris: urls, expires_in: 600, ice_servers: [{ urls, username, credential: 'key' }] });
const offered = ['turn:h:3478?transport=udp', 'turn:h:3478?transport=tcp', 'turns:h:5349', 'turn:h:3478'];
const chosen = (transport: Transport) => relayConfiguration(token(offered), transport).iceServers![0]!.urls;

test('only the relay may be used', () => assert.equal(relayConfiguration(token(offered), 'auto').iceTransportPolicy, 'relay'));
test('a direct path is possible when the user allows it', () =>
  assert.equal(relayConfiguration(token(offered), 'auto', false).iceTransportPolicy, 'all'));
test('automatic keeps every server', () => assert.deepEqual(chosen('auto'), offered));
test('udp is also what a URL without transport means', () => assert.deepEqual(chosen('udp'), [offered[0], offered[3]]));
test('tcp is tcp without tls, and tls is turns:', () => assert.deepEqual([chosen('tcp'), chosen('tls')], [[offered[1]], [offered[2]]]));
test('a transport that is not offered is a problem of step 7', () =>
  assert.throws(() => relayConfiguration(token([offered[0]!]), 'tcp'), (problem: Problem) => problem.code === 'transport_not_offered' && problem.step === 7));
test('a user name of 508 bytes fits, one more does not', () => {
  assert.ok(relayConfiguration(token(offered, 'x'.repeat(508)), 'auto'));
  assert.throws(() => relayConfiguration(token(offered, 'x'.repeat(509)), 'auto'), (problem: Problem) => problem.code === 'credentials_too_long');
});

test('servers at other addresses than that of the lost one come first, in their order', () => {
  const urls = ['turn:a:1?transport=udp', 'turn:a:1?transport=tcp', 'turn:b:1?transport=udp', 'turn:b:1?transport=tcp'];
  const configuration = relayConfiguration(token(urls), 'auto');
  const order = (lost?: string) => othersFirst(configuration, lost).iceServers!.flatMap(server => server.urls);
  assert.deepEqual(order(urls[1]), [urls[2], urls[3], urls[0], urls[1]]);
  assert.deepEqual([order(urls[2]), order(), order('turn:c:1')], [urls, urls, urls]);
  assert.equal(othersFirst(configuration, urls[0]).iceTransportPolicy, 'relay');
});

test('an answer of the server tells more than silence', () => assert.equal(turnProblem([701, 486, 701]).code, 'turn_486'));
test('silence and 701 mean unreachable', () => assert.deepEqual([[], [701]].map(codes => turnProblem(codes).code), ['turn_unreachable', 'turn_unreachable']));
test('a code without a text of its own is a refusal', () => assert.deepEqual([turnProblem([437]).code, turnProblem([437]).detail], ['turn_refused', '437']));
