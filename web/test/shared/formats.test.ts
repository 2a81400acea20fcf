import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clock, counting, Formats } from '../../shared/texts/formats.ts';

const [english, german] = [new Formats('en'), new Formats('de')];

test('a clock shows minutes, and hours when there are some', () =>
  assert.deepEqual([0, 9.9, 75, 3675].map(clock), ['0:00', '0:09', '1:15', '1:01:15']));
test('a clock never runs below zero', () => assert.equal(clock(-3), '0:00'));
test('a duration has one digit more where it is small', () =>
  assert.deepEqual([0.42, 12.3, 999, 2345].map(value => english.duration(value)), ['0.4 ms', '12 ms', '999 ms', '2.3 s']));

test('numbers, durations and sizes follow the language', () => {
  assert.deepEqual([english.count(12345), german.count(12345)], ['12,345', '12.345']);
  assert.deepEqual([2345, 0.42].map(value => german.duration(value)), ['2,3 s', '0,4 ms']);
  assert.deepEqual([0.25, 44, 9999, 12_000, 180_000].map(value => german.spanDuration(value)), ['250 µs', '44,0 ms', '9999 ms', '12,0 s', '3 min']);
  assert.deepEqual([999, 1500, 2_500_000].map(value => german.size(value)), ['999 B', '2 kB', '2,5 MB']);
});

test('times and dates follow the language and its region', () => {
  const time = new Date(2026, 2, 4, 15, 6, 7, 89).getTime();
  assert.deepEqual([english.clockTime(time), german.clockTime(time)], ['15:06:07.089', '15:06:07,089']);
  assert.deepEqual([new Formats('en-US').day(time), new Formats('en-GB').day(time), german.day(time)], ['Mar 4', '4 Mar', '4. März']);
  assert.match(german.dateTime(time), /^04\.03\.2026, 15:06:07$/);
});

test('a count picks its plural form', () => {
  const forms = { one: '# entry', other: '# entries' };
  assert.deepEqual([0, 1, 2, 1234].map(count => counting('en')(count, forms)), ['0 entries', '1 entry', '2 entries', '1,234 entries']);
  assert.equal(counting('de')(1, { other: '#-mal' }), '1-mal');
});
