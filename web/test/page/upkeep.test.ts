import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import type { PathSample } from '../../page/call/pathWatch.ts';
import { Problem } from '../../page/call/problem.ts';
import type { TurnToken } from '../../page/call/turn.ts';
import { Upkeep, type UpkeepParts } from '../../page/call/upkeep.ts';

beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] }));
afterEach(() => mock.timers.reset());

const token = { uris: [], expires_in: 600, ice_servers: [] } as TurnToken;

/** A call with a far end and a TURN server that the test controls. Packets arrive while the path works. */
class Call {
  readonly log: string[] = [];
  works = true;
  isTurnUp = true;
  isHeld = false;
  packets = 0;
  restarts = 0;
  #reached: (() => void)[] = [];
  readonly upkeep: Upkeep;

  constructor(more: Partial<UpkeepParts> = {}) {
    this.upkeep = new Upkeep({
      isCallee: false,
      isOnline: () => true,
      newToken: async () => { this.log.push('token'); return token; },
      configurationOf: () => ({}),
      reach: (_, signal) => new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        if (this.isTurnUp) resolve();
        else this.#reached.push(resolve);
      }),
      sample: async (): Promise<PathSample> => {
        if (this.works && !this.isHeld) this.packets += 5;
        return { packets: this.packets, isExpected: !this.isHeld, state: 'connected' };
      },
      useConfiguration: () => this.log.push('use'),
      restart: async () => {
        this.restarts++;
        this.log.push('restart');
        if (this.isTurnUp) this.works = true;
      },
      ...more,
    }, {
      onbegin: () => {
        this.log.push('begin');
        return error => this.log.push(`end ${error ?? 'well'}`);
      },
      oncredentials: (_, __, renewals) => this.log.push(`credentials ${renewals}`),
      onlost: (giveUpAt, { code }) => this.log.push(`lost until +${giveUpAt - Date.now()} ${code}`),
      onback: () => this.log.push('back'),
      onwarning: ({ code }) => this.log.push(`warning ${code}`),
      onrecovered: () => this.log.push('recovered'),
      ongivenup: ({ code, detail }) => this.log.push(`given up ${code} ${detail}`),
    }, () => Date.now());
    this.upkeep.start(token, Date.now());
    this.log.length = 0;
  }

  breaks(): void {
    this.works = this.isTurnUp = false;
  }

  turnIsBack(): void {
    this.isTurnUp = true;
    for (const resolve of this.#reached.splice(0)) resolve();
  }
}

/** Lets everything that waits for no timer go on, then moves the time. */
async function pass(duration: number, step = 50): Promise<void> {
  for (let passed = 0; passed < duration; passed += step) {
    for (let turn = 0; turn < 30; turn++) await Promise.resolve();
    mock.timers.tick(step);
  }
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

test('a call whose packets arrive needs nothing before its renewal', async () => {
  const call = new Call();
  await pass(400_000, 500);
  assert.deepEqual(call.log, []);
});

test('credentials are renewed before they end, without a word to the user', async () => {
  const call = new Call();
  await pass(480_000, 500);
  assert.deepEqual(call.log, ['begin', 'token', 'use', 'restart', 'credentials 1', 'recovered', 'end well']);
});

test('a renewal that fails is tried again while the call goes on', async () => {
  let failures = 2;
  const call = new Call({ restart: async () => { if (failures-- > 0) throw new Problem('negotiation_failed'); } });
  await pass(482_000, 500);
  assert.deepEqual(call.log.filter(line => /warning|end|recovered/.test(line)),
    ['warning negotiation_failed', 'warning negotiation_failed', 'recovered', 'end well']);
});

test('a lost path is reported within three seconds, with the time that is left', async () => {
  const call = new Call();
  await pass(5_000);
  call.breaks();
  await pass(2_500);
  assert.deepEqual(call.log, ['begin', 'lost until +60000 connection_interrupted', 'token', 'use']);
});

test('when TURN is back, ICE is restarted once and the call goes on', async () => {
  const call = new Call();
  call.breaks();
  await pass(30_000);
  call.turnIsBack();
  await pass(300);
  assert.equal(call.restarts, 1);
  assert.deepEqual(call.log.slice(-4), ['restart', 'credentials 1', 'end well', 'back']);
  await pass(20_000);
  assert.equal(call.restarts, 1);
});

test('after a minute the call is given up with the reason, also in its span', async () => {
  const call = new Call();
  call.breaks();
  await pass(64_000);
  assert.deepEqual(call.log.slice(-2), ['end turn_unreachable', 'given up connection_lost turn_unreachable']);
});

test('the callee gives up a little later, so that the caller\'s reason arrives', async () => {
  const call = new Call({ isCallee: true });
  call.breaks();
  await pass(2_500);
  assert.match(call.log[1]!, /lost until \+62000/);
});

test('a refusal of TURN leads to new credentials, and is the reason if nothing helps', async () => {
  const call = new Call({ reach: async () => { throw new Problem('turn_401', { step: 8 }); } });
  call.breaks();
  await pass(64_000);
  assert.ok(call.log.filter(line => line === 'token').length > 10);
  assert.deepEqual(call.log.slice(-2), ['end turn_401', 'given up connection_lost turn_401']);
});

test('a restart that the far end refuses is tried again', async () => {
  let refusals = 3;
  const call = new Call({ restart: async () => {
    if (refusals-- > 0) throw new Problem('negotiation_failed');
    call.works = true;
  } });
  call.works = false;
  await pass(8_000);
  assert.deepEqual(call.log.slice(-2), ['end well', 'back']);
});

test('a path that comes back by itself needs no restart', async () => {
  const call = new Call();
  call.breaks();
  await pass(3_000);
  call.works = true;
  await pass(300);
  assert.equal(call.restarts, 0);
  assert.deepEqual(call.log.slice(-2), ['end well', 'back']);
  // It can be lost a second time.
  call.works = false;
  await pass(3_000);
  assert.match(call.log.at(-1)!, /token|use|lost/);
});

test('media that is back before the far end has answered does not end the restoration at once', async () => {
  let answer = () => {};
  const call = new Call({ restart: () => new Promise<void>(resolve => {
    call.works = true;
    answer = resolve;
  }) });
  call.works = false;
  await pass(3_000);
  assert.ok(!call.log.includes('back'));
  answer();
  await pass(100);
  assert.equal(call.log.at(-1), 'back');
});

test('a hang-up of an interrupted call is its failure, a hang-up during a renewal is not', async () => {
  const lost = new Call();
  lost.breaks();
  await pass(5_000);
  lost.upkeep.end();
  await pass(100);
  assert.equal(lost.log.at(-1), 'end turn_unreachable');

  const renewing = new Call({ restart: () => new Promise(() => {}), newToken: async () => token });
  await pass(480_500, 500);
  assert.deepEqual(renewing.log, ['begin', 'use']);
});

test('a device without a network says so', async () => {
  const call = new Call({ isOnline: () => false });
  call.breaks();
  await pass(2_500);
  assert.match(call.log[1]!, /no_network/);
});

test('a held call is not taken for a lost one', async () => {
  const call = new Call();
  call.isHeld = true;
  await pass(60_000, 500);
  assert.deepEqual(call.log, []);
});

test('a session that has ended is asked for, and the call waits for it', async () => {
  const call = new Call({ newToken: async () => { throw new Problem('session_expired'); } });
  call.breaks();
  await pass(4_000);
  assert.ok(call.log.includes('warning session_expired'));
});

test('a path that is restored prefers other TURN servers than the one that was lost', async () => {
  const used: unknown[] = [];
  const server = (urls: string) => ({ urls: [urls], username: '', credential: '' });
  let packets = 0;
  const call: Call = new Call({
    configurationOf: () => ({ iceServers: [server('turn:a'), server('turn:b')] }),
    sample: async () => ({ packets: call.works ? ++packets : packets, isExpected: true, state: 'connected', relay: 'turn:a?transport=udp' }),
    useConfiguration: configuration => used.push(configuration.iceServers!.flatMap(each => each.urls)),
  });
  await pass(1_000);
  call.works = false;
  await pass(3_000);
  assert.deepEqual(used[0], ['turn:b', 'turn:a']);
  call.upkeep.end();
});
