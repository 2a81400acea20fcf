import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PathWatch, type PathSample, sampleEvery, silenceLimit } from '../../page/call/pathWatch.ts';
import { packetsArrived } from '../../page/call/statistics.ts';

const sample = (packets: number, more: Partial<PathSample> = {}): PathSample => ({ packets, isExpected: true, state: 'connected', ...more });

/** Samples from time 0 on; returns what changed, and when. */
function watched(samples: PathSample[], every = sampleEvery): [at: number, changed: string][] {
  const watch = new PathWatch();
  return samples.flatMap((each, index): [number, string][] => {
    const changed = watch.update(index * every, each);
    return changed ? [[index * every, changed]] : [];
  });
}
const silent = (count: number, more: Partial<PathSample> = {}) => Array.from({ length: count }, () => sample(100, more));

test('a path on which packets arrive is never lost', () =>
  assert.deepEqual(watched(Array.from({ length: 50 }, (_, index) => sample(100 + index * 25))), []));

test('a silence is noticed within three seconds of the last packet', () => {
  const [[at, changed] = []] = watched(silent(20));
  assert.equal(changed, 'lost');
  // The last packet came up to one sample before the first sample.
  assert.ok(at! + sampleEvery <= 3_000 - 250 && at! >= silenceLimit, String(at));
});

test('a lost path is reported once, and is back with the first packet', () =>
  assert.deepEqual(watched([...silent(8), sample(101), sample(102)]).map(([, changed]) => changed), ['lost', 'back']));

test('nothing has to arrive while a side holds the call', () => {
  assert.deepEqual(watched(silent(100, { isExpected: false })), []);
  // The end of the hold begins a new silence.
  assert.deepEqual(watched([...silent(20, { isExpected: false }), ...silent(3)]), []);
  assert.equal(watched([...silent(20, { isExpected: false }), ...silent(8)])[0]![1], 'lost');
});

test('a held call is lost when the browser says so, and back when it is connected again', () =>
  assert.deepEqual(
    watched([...silent(3, { isExpected: false }), ...silent(3, { isExpected: false, state: 'broken' }), ...silent(1, { isExpected: false })])
      .map(([, changed]) => changed),
    ['lost', 'back']));

test('what the browser calls broken is lost sooner, but not while packets arrive', () => {
  assert.deepEqual(watched(silent(3, { state: 'broken' })), [[500, 'lost']]);
  assert.deepEqual(watched(Array.from({ length: 20 }, (_, index) => sample(index, { state: 'broken' }))), []);
});

test('packets are those of the transport, and in Firefox those of the media', () => {
  const media = { id: 'a', type: 'inbound-rtp', packetsReceived: 7 };
  assert.equal(packetsArrived([media, { id: 'T', type: 'transport', packetsReceived: 9 }]), 9);
  assert.equal(packetsArrived([media, { id: 'b', type: 'inbound-rtp', packetsReceived: 2 }]), 9);
  assert.equal(packetsArrived([]), 0);
});
