import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import type { Api } from '../../page/call/api.ts';
import { CallFlow } from '../../page/call/callFlow.ts';
import type { CallView } from '../../page/call/callView.ts';
import { pictures, sendPicture } from '../../page/call/connection.ts';
import type { Leg, LegEvents } from '../../page/call/leg.ts';
import type { Problem } from '../../page/call/problem.ts';

const token = { uris: [], expires_in: 600, ice_servers: [{ urls: 'turn:h', username: 'u', credential: 'c' }] };
let permission = 'granted';
let capture: () => Promise<object>;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  permission = 'granted';
  capture = async () => ({ getTracks: () => [] });
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: {
    onLine: true,
    permissions: { query: async () => ({ state: permission }) },
    mediaDevices: { getUserMedia: () => capture() },
  } });
});
afterEach(() => mock.timers.reset());

// Host candidates are there: the device has a network.
Object.assign(globalThis, { RTCPeerConnection: class {
  addEventListener(_: string, handle: (event: object) => void): void { handle({ candidate: { candidate: 'host' } }); }
  createDataChannel(): void {}
  async setLocalDescription(): Promise<void> {}
  close(): void {}
} });

async function pass(duration: number, step = 500): Promise<void> {
  for (let passed = 0; passed < duration; passed += step) {
    for (let turn = 0; turn < 30; turn++) await Promise.resolve();
    mock.timers.tick(step);
  }
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

/** A call whose far end does nothing, and what it shows. */
function start(more: Partial<Leg> = {}) {
  const log: string[] = [];
  let events: LegEvents | undefined;
  const names = ['localMedia', 'remoteMedia', 'relayed', 'held', 'video', 'connected', 'interrupted', 'credentials', 'warning', 'recovered'];
  const view = {
    ...Object.fromEntries(names.map(name => [name, () => {}])),
    step: (number: number, state: string) => log.push(`${number} ${state}`),
    phase: (phase: string) => log.push(phase),
    failed: ({ code }: Problem) => log.push(`failed ${code}`),
  } as unknown as CallView;
  const asked: number[] = [];
  const api = { turnToken: async () => {
    asked.push(log.length);
    return { token, timings: { request: 1, sessionCheck: 1, waf: 1, tokenMade: 1, answer: 1 } };
  } } as unknown as Api;
  const leg = { connect: () => new Promise(() => {}), close: () => log.push('closed'), ...more } as unknown as Leg;
  const flow = new CallFlow(api, { video: false, transport: 'auto', relayOnly: true, devices: {}, isCallee: false, generated: false }, view,
    (_, __, given) => {
      events = given;
      return leg;
    });
  void flow.start();
  return { flow, log, asked, events: () => events! };
}

test('a set-up that hangs ends with a problem, in each of its phases', async () => {
  for (const [phase, limit] of [['connecting', 20_000], ['calling', 40_000], ['ringing', 90_000]] as const) {
    const { log, events } = start();
    await pass(500);
    if (phase !== 'connecting') events().onphase(phase);
    await pass(limit - 1_000);
    assert.ok(!log.some(line => line.startsWith('failed')), phase);
    await pass(1_000);
    assert.ok(log.includes('failed set_up_timeout') && log.includes('closed'), `${phase}: ${log.join()}`);
  }
});

test('a call that is up has no limit', async () => {
  const { log } = start({ connect: async () => {}, sample: async () => undefined });
  await pass(200_000, 5_000);
  assert.equal(log.at(-1), 'inCall');
});

test('the token is asked for while the microphone opens, if the user has allowed it before', async () => {
  let open: (media: object) => void = () => {};
  capture = () => new Promise(resolve => { open = resolve; });
  const allowed = start();
  await pass(500);
  assert.equal(allowed.asked.length, 1);
  assert.ok(!allowed.log.includes('1 done'));
  open({ getTracks: () => [] });
  await pass(500);
  assert.ok(allowed.log.indexOf('1 done') < allowed.log.indexOf('7 active'));

  permission = 'prompt';
  const prompted = start();
  await pass(5_000);
  assert.equal(prompted.asked.length, 0);
  open({ getTracks: () => [] });
  await pass(500);
  assert.equal(prompted.asked.length, 1);
});

test('a microphone that fails is the failure of step 1, whatever came meanwhile', async () => {
  capture = () => Promise.reject(new DOMException('', 'NotReadableError'));
  const { log } = start();
  await pass(500);
  assert.equal(log.at(-1), 'failed microphone_busy');
  assert.ok(log.includes('1 failed'));
});

// --- The picture in a call

class Track {
  kind = 'video';
  readyState = 'live';
  stop(): void { this.readyState = 'ended'; }
}

function connection() {
  const transceivers: { receiver: object; sender: { track: unknown; replaceTrack(track: unknown): Promise<void> }; direction: string; currentDirection: string }[] = [];
  return {
    transceivers,
    getTransceivers: () => transceivers,
    addTransceiver: (track: unknown, { direction }: { direction: string }) => {
      const sender = { track, replaceTrack: async (next: unknown) => { sender.track = next; } };
      transceivers.push({ receiver: { track: { kind: 'video' } }, sender, direction, currentDirection: '' });
    },
  };
}
const media = () => {
  const tracks: unknown[] = [];
  return {
    getVideoTracks: () => [...tracks],
    addTrack: (track: unknown) => tracks.push(track),
    removeTrack: (track: unknown) => tracks.splice(tracks.indexOf(track), 1),
  };
};

test('the camera adds a picture, and stops when it is turned off', async () => {
  const [ends, stream, track] = [connection(), media(), new Track()];
  const send = (each: Track | undefined) => sendPicture(ends as never, stream as never, each as never);
  await send(undefined);
  assert.equal(ends.transceivers.length, 0);
  await send(track);
  assert.deepEqual([ends.transceivers.length, ends.transceivers[0]!.direction], [1, 'sendrecv']);
  assert.deepEqual(stream.getVideoTracks(), [track]);
  await send(undefined);
  assert.deepEqual([ends.transceivers[0]!.direction, ends.transceivers[0]!.sender.track, track.readyState], ['recvonly', null, 'ended']);
  await send(new Track());
  assert.deepEqual([ends.transceivers.length, ends.transceivers[0]!.direction], [1, 'sendrecv']);
});

test('which side sends a picture is what both have agreed on', async () => {
  const ends = connection();
  assert.deepEqual(pictures(ends as never), { here: false, there: false });
  await sendPicture(ends as never, media() as never, new Track() as never);
  for (const [direction, here, there] of [['', false, false], ['sendrecv', true, true], ['sendonly', true, false], ['recvonly', false, true], ['inactive', false, false]] as const) {
    ends.transceivers[0]!.currentDirection = direction;
    assert.deepEqual(pictures(ends as never), { here, there }, direction);
  }
});
