import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backOff, calleeRenewal, renewAfter } from '../../page/call/schedule.ts';

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
