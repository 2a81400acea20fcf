import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseServerTiming } from '../../page/call/serverTiming.ts';
import { summarise } from '../../page/call/statistics.ts';

test('Server-Timing is read, also with commas in descriptions', () =>
  assert.deepEqual(
    [...parseServerTiming('step3;dur=0.4;desc="session, checked", step4;dur=12.1;desc="WAF answered", step5;dur=3.2, cache;desc="none"')],
    [['step3', 0.4], ['step4', 12.1], ['step5', 3.2]]));
test('without Server-Timing nothing is known', () => assert.equal(parseServerTiming(null).size, 0));

test('statistics follow the selected pair to the relay', () => {
  const seen = summarise([
    { id: 'T', type: 'transport', selectedCandidatePairId: 'P' },
    { id: 'P', type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'R', currentRoundTripTime: 0.012 },
    { id: 'Q', type: 'candidate-pair', localCandidateId: 'R', remoteCandidateId: 'L', currentRoundTripTime: 9 },
    { id: 'L', type: 'local-candidate', candidateType: 'relay', relayProtocol: 'udp', address: '127.0.0.1', port: 50000 },
    { id: 'R', type: 'remote-candidate', candidateType: 'relay', address: '::1', port: 50001 },
    { id: 'C', type: 'codec', mimeType: 'audio/opus' },
    { id: 'a', type: 'inbound-rtp', packetsReceived: 100, packetsLost: 1, bytesReceived: 5000, jitter: 0.002, codecId: 'C' },
    { id: 'v', type: 'inbound-rtp', packetsReceived: 200, packetsLost: 0, bytesReceived: 9000, jitter: 0.004 },
    { id: 'o', type: 'outbound-rtp', packetsSent: 301, bytesSent: 14000 },
  ]);
  assert.deepEqual(seen, {
    packetsSent: 301, packetsReceived: 300, packetsLost: 1, bytesSent: 14000, bytesReceived: 14000, jitter: 4, roundTripTime: 12,
    codecs: ['audio/opus'],
    local: { type: 'relay', address: '127.0.0.1:50000', relayProtocol: 'udp' },
    remote: { type: 'relay', address: '[::1]:50001', relayProtocol: undefined },
  });
});
test('before a pair is selected nothing is claimed', () => {
  const seen = summarise([{ id: 'T', type: 'transport' }]);
  assert.deepEqual([seen.local, seen.roundTripTime, seen.jitter, seen.packetsReceived], [undefined, undefined, undefined, 0]);
});
