import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backOff, calleeRenewal, clock, duration, renewAfter } from '../src/schedule.ts';

test('a long token is renewed 20 % before its end', () => assert.equal(renewAfter(600), 480));
test('a middling token is renewed 60 s before its end', () => assert.equal(renewAfter(200), 140));
test('a short token is renewed 20 % before its end', () => assert.equal(renewAfter(60), 48));
test('the shortest token leaves six seconds', () => assert.equal(renewAfter(30), 24));
test('jitter only makes it earlier, by a tenth of the margin', () => assert.equal(renewAfter(600, 1), 480 - 12));
test('a token without life is renewed at once', () => assert.equal(renewAfter(0), 0));

test('the callee has new credentials before the caller restarts, and restarts by itself before its own end', () => {
  for (const lifetime of [30, 60, 300, 600, 3600]) {
    const { after, patience } = calleeRenewal(lifetime);
    // The earliest moment of the caller, who got its token first.
    assert.ok(after < renewAfter(lifetime, 1), `${lifetime}: ${after}`);
    assert.ok(after + patience > renewAfter(lifetime) - 1 && after + patience < lifetime, `${lifetime}: ${after} + ${patience}`);
  }
});

test('tries back off up to 8 s', () => assert.deepEqual([0, 1, 2, 3, 4, 5, 50].map(backOff), [0.5, 1, 2, 4, 8, 8, 8]));

test('a clock shows minutes, and hours when there are some', () =>
  assert.deepEqual([0, 9.9, 75, 3675].map(clock), ['0:00', '0:09', '1:15', '1:01:15']));
test('a clock never runs below zero', () => assert.equal(clock(-3), '0:00'));
test('a duration has one digit more where it is small', () =>
  assert.deepEqual([0.42, 12.3, 999, 2345].map(duration), ['0.4 ms', '12 ms', '999 ms', '2.3 s']));
