import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Problem } from '../../page/call/problem.ts';
import { type Dialogue, Negotiation, pauseAfterCollision } from '../../page/ims/negotiation.ts';

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

/** Lets everything that waits for no timer go on, then moves the time. */
async function pass(duration: number, step = 10): Promise<void> {
  for (let passed = 0; passed < duration; passed += step) {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    mock.timers.tick(step);
  }
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** A dialogue whose far end gives these responses, one after the other. */
function dialogue(responses: (number | undefined)[], more: Partial<Dialogue> = {}) {
  const done: string[] = [];
  return {
    done,
    isOwner: true,
    isReady: () => true,
    offer: async () => { done.push('offer'); return 'o'; },
    send: async () => ({ status: responses.shift(), sdp: 'a' }),
    accept: async () => { done.push('accept'); },
    rollBack: async () => { done.push('roll back'); },
    ...more,
  };
}

const codeOf = async (running: Promise<void>): Promise<string> => {
  try {
    await running;
    return 'agreed';
  } catch (thrown) {
    return (thrown as Problem).code;
  }
};

const alive = new AbortController().signal;

test('an accepted offer is applied', async () => {
  const ends = dialogue([200]);
  await new Negotiation(ends, alive).change(() => true);
  assert.deepEqual(ends.done, ['offer', 'accept']);
});

test('RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s after a 491, the other side up to 2 s', () => {
  assert.deepEqual([0, 1].map(random => pauseAfterCollision(true, random)), [2_100, 4_000]);
  assert.deepEqual([0, 1].map(random => pauseAfterCollision(false, random)), [0, 2_000]);
  assert.equal(pauseAfterCollision(true, 0.12345) % 10, 0);
});

test('after a 491 the offer is taken back and made anew, and the call goes on', async () => {
  const ends = dialogue([491, 200]);
  let prepared = 0;
  const running = codeOf(new Negotiation(ends, alive, () => 0).change(() => ++prepared > 0));
  await pass(2_090);
  assert.deepEqual(ends.done, ['offer', 'roll back']);
  await pass(20);
  assert.equal(await running, 'agreed');
  assert.deepEqual([ends.done, prepared], [['offer', 'roll back', 'offer', 'accept'], 2]);
});

test('no offer follows a 491 if the other side made it needless meanwhile', async () => {
  const ends = dialogue([491]);
  let isNeeded = true;
  const running = codeOf(new Negotiation(ends, alive, () => 0).change(() => isNeeded));
  await pass(100);
  isNeeded = false;
  await pass(2_100);
  assert.equal(await running, 'agreed');
  assert.deepEqual(ends.done, ['offer', 'roll back']);
});

test('a refusal, a silence and a failed offer are failures of the change, and each is taken back', async () => {
  for (const status of [500, 488, 408, undefined]) {
    const ends = dialogue([status]);
    assert.equal(await codeOf(new Negotiation(ends, alive).change(() => true)), 'negotiation_failed', String(status));
    assert.deepEqual(ends.done, ['offer', 'roll back']);
  }
  const ends = dialogue([], { offer: async () => { throw new Problem('turn_unreachable'); } });
  assert.equal(await codeOf(new Negotiation(ends, alive).change(() => true)), 'turn_unreachable');
  assert.deepEqual(ends.done, ['roll back']);
});

test('only a 481 says that the call is over', async () =>
  assert.equal(await codeOf(new Negotiation(dialogue([481]), alive).change(() => true)), 'call_gone'));

test('changes follow each other, also after one that failed', async () => {
  const order: string[] = [];
  const negotiation = new Negotiation(dialogue([500, 200]), alive);
  const [first, second] = ['first', 'second'].map(name => codeOf(negotiation.change(() => order.push(name) > 0)));
  assert.deepEqual([await first, await second, order], ['negotiation_failed', 'agreed', ['first', 'second']]);
});

test('an offer waits until that of the other side is answered, but not for ever', async () => {
  let isReady = false;
  const running = codeOf(new Negotiation(dialogue([200], { isReady: () => isReady }), alive).change(() => true));
  await pass(3_000);
  isReady = true;
  await pass(60);
  assert.equal(await running, 'agreed');

  const never = codeOf(new Negotiation(dialogue([], { isReady: () => false }), alive).change(() => true));
  await pass(10_100);
  assert.equal(await never, 'negotiating');
});

test('an offer of the other side must wait while one of this side is under way', async () => {
  let answer: (status: number) => void = () => {};
  const negotiation: Negotiation = new Negotiation(dialogue([], {
    send: () => new Promise(resolve => { answer = status => resolve({ status, sdp: 'a' }); }),
  }), alive);
  assert.equal(negotiation.isOffering, false);
  const running = codeOf(negotiation.change(() => true));
  await pass(10);
  assert.equal(negotiation.isOffering, true);
  answer(200);
  await running;
  assert.equal(negotiation.isOffering, false);
});

test('the end of the call ends the wait', async () => {
  const end = new AbortController();
  const running = codeOf(new Negotiation(dialogue([491]), end.signal, () => 0).change(() => true));
  await pass(100);
  end.abort(new Problem('cancelled'));
  assert.equal(await running, 'cancelled');
});
