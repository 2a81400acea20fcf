import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallView, StepState } from '../../page/call/callView.ts';
import { Story } from '../../page/stage/story.ts';
import { at, beatsOf, connecting, type Recording, type RecordedStep, slowMotion, tenthsOf, timeAt } from '../../page/stage/timeline.ts';

/** A call as the page measured it: the WWSF reports 12 ms for step 4, of which the WAF worked 3 ms in step 5. */
const call = (changes: Record<number, Partial<RecordedStep>> = {}): Recording => ({
  steps: new Map(Object.entries({
    1: { began: 0, ended: 40, took: 40 }, 2: { began: 40.2, took: 9 }, 3: { took: 0.5 }, 4: { took: 12 }, 5: { took: 3 }, 6: { took: 1 },
    7: { began: 63, ended: 80, took: 17 }, 8: { began: 80, ended: 200, took: 120 },
  }).map(([number, step]) => [Number(number), { state: 'done', ...step, ...changes[Number(number)] }])),
  relayed: 200.4,
  connected: 312.3,
});
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

test('the beats follow each other without gaps, and add up to the total', () => {
  const beats = beatsOf(call());
  assert.deepEqual(beats.map(beat => beat.number), [1, 2, 3, 4, 5, 6, 7, 8, connecting]);
  for (const [index, beat] of beats.entries()) assert.ok(Math.abs((beats[index + 1]?.began ?? 312.3) - beat.began - beat.took) < 1e-9, String(beat.number));
  assert.ok(Math.abs(sum(beats.slice(0, 8).map(beat => beat.took)) - 200.4) < 1e-9);
});

test('step 4 does not contain step 5, however the page reports it', () => {
  for (const changes of [{}, { 4: { took: 9 } }]) {
    const beats = beatsOf(call(changes));
    assert.equal(beats[3]!.took, 9);
    assert.equal(beats[4]!.took, 3);
  }
});

test('the numbers on the screen add up to the shown total', () => {
  for (const shift of [0, 0.04, 0.33, 0.07]) {
    const { total, each } = tenthsOf(beatsOf({ ...call({ 3: { took: 0.5 + shift } }), connected: 312.3 + shift }));
    assert.equal(sum(each), total);
    assert.equal(total, Math.round((312.3 + shift) * 10));
  }
});

test('a step whose part reported no time has none', () => {
  const beats = beatsOf(call({ 5: { took: undefined } }));
  assert.equal(beats[4]!.isReported, false);
  assert.equal(beats[4]!.took, 0);
  assert.equal(beats[8]!.began + beats[8]!.took, 312.3);
});

test('the slider counts beats, and shows the time of the call', () => {
  const beats = beatsOf(call());
  assert.deepEqual(at(7.25, 9), { index: 7, part: 0.25 });
  assert.deepEqual(at(12, 9), { index: 8, part: 1 });
  assert.equal(timeAt(beats, 0.5), 20);
  assert.equal(timeAt(beats, 9), 312.3);
  assert.equal(slowMotion(beats[4]!)! > 300, true);
  assert.equal(slowMotion({ ...beats[4]!, took: 0 }), undefined);
});

const silent = (): CallView => Object.fromEntries(
  ['phase', 'step', 'localMedia', 'remoteMedia', 'relayed', 'held', 'connected', 'credentials', 'warning', 'recovered', 'failed'].map(name => [name, () => {}])) as unknown as CallView;

test('a story has the steps of the present call only', () => {
  const story = new Story();
  const first = story.record(silent());
  first.step(1, 'done', 10);
  const second = story.record(silent());
  first.step(2, 'failed');
  assert.equal(story.recording.steps.size, 0);
  for (const [number, state] of [[1, 'active'], [1, 'done'], [2, 'active'], [2, 'failed']] as [number, StepState][]) second.step(number, state);
  assert.equal(story.failedStep, 2);
  assert.equal(story.isConnected, false);
});

test('a story keeps the facts of a token, and not the token', async () => {
  const story = new Story();
  story.record(silent());
  const key = Buffer.from('a session key of 32 octets......').toString('base64');
  const token = Buffer.alloc(76, 7).toString('base64');
  await story.keep({ kid: 'k1.3', key, access_token: token, expires_in: 600 });
  assert.deepEqual({ ...story.token, keyPrint: story.token!.keyPrint.length }, { kid: 'k1.3', octets: 76, lifetime: 600, keyPrint: 8 });
  assert.ok(!JSON.stringify(story.token).includes(key));
});
