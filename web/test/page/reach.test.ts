import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { isWithoutNetwork } from '../../page/call/network.ts';
import { Problem } from '../../page/call/problem.ts';
import { untilReachable } from '../../page/call/reach.ts';

beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'setInterval'] }));
afterEach(() => mock.timers.reset());

async function pass(duration: number, step = 50): Promise<void> {
  for (let passed = 0; passed < duration; passed += step) {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    mock.timers.tick(step);
  }
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** Tries that last until they are given up, and how many of them there are. */
function silentServer() {
  const tries = { begun: 0, open: 0, allocate: (_: RTCConfiguration, signal: AbortSignal) => {
    tries.begun++;
    tries.open++;
    return new Promise<void>((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        tries.open--;
        reject(signal.reason as Error);
      }, { once: true });
    });
  } };
  return tries;
}

test('a silent server is asked each second, by at most three tries at once', async () => {
  const server = silentServer();
  const end = new AbortController();
  const waiting = untilReachable({}, end.signal, server.allocate).then(() => 'reached', (problem: Problem) => problem.code);
  await pass(10_500);
  assert.equal(server.begun, 11);
  assert.ok(server.open <= 4, String(server.open));
  end.abort(new Problem('connection_lost'));
  assert.equal(await waiting, 'connection_lost');
  assert.equal(server.open, 0);
});

test('the first allocation ends all tries', async () => {
  const server = silentServer();
  let tries = 0;
  const waiting = untilReachable({}, new AbortController().signal, (configuration, signal) =>
    ++tries < 4 ? server.allocate(configuration, signal) : Promise.resolve());
  await pass(3_100);
  await waiting;
  await pass(5_000);
  assert.deepEqual([tries, server.open], [4, 0]);
});

test('a refusal ends the wait, a failed connection does not', async () => {
  const answers = ['turn_unreachable', 'turn_unreachable', 'turn_401'];
  const waiting = untilReachable({}, new AbortController().signal, () => Promise.reject(new Problem(answers.shift()!, { step: 8 })))
    .then(() => 'reached', (problem: Problem) => problem.code);
  await pass(2_100);
  assert.deepEqual([await waiting, answers.length], ['turn_401', 0]);
});

test('no network: neither a relay nor a host candidate', async () => {
  const of = (hasRelay: boolean, hasHost: boolean, isOnline: boolean) => {
    const waiting = isWithoutNetwork(() => hasRelay, isOnline, async () => hasHost);
    return pass(1_600).then(() => waiting);
  };
  assert.equal(await of(false, false, true), true);
  assert.equal(await of(false, false, false), true);
  assert.equal(await of(true, false, false), false);
  assert.equal(await of(false, true, false), false);
});

test('a device that knows that it is offline is looked at almost at once', async () => {
  let asked = 0;
  void isWithoutNetwork(() => false, false, async () => { asked++; return true; });
  await pass(250);
  assert.equal(asked, 1);
});
