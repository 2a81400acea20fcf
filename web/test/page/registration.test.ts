import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Registration } from '../../page/ims/registration.ts';
import { answerLimit } from '../../page/ims/sipSocket.ts';
import type { Api } from '../../page/call/api.ts';

// --- A connection that the network swallows

/** A server of WebSockets; each connection is opened and answered as its entry says, and the last entry counts for all later ones. */
class Server {
  readonly sent: string[] = [];
  connections = 0;
  readonly #connections: { opens: boolean; answers: boolean }[];

  constructor(...connections: { opens: boolean; answers: boolean }[]) {
    this.#connections = connections;
  }

  socket() {
    const { opens, answers } = this.#connections[Math.min(this.connections++, this.#connections.length - 1)]!;
    const { sent } = this;
    return class {
      static readonly CONNECTING = 0;
      readonly CONNECTING = 0;
      readonly OPEN = 1;
      readyState = 0;
      onopen = () => {};
      onclose = () => {};
      declare onmessage: (event: { data: string }) => void;
      constructor() {
        if (opens) queueMicrotask(() => { this.readyState = 1; this.onopen(); });
      }
      send(text: string) {
        sent.push(text);
        if (answers && text.startsWith('REGISTER')) queueMicrotask(() => this.onmessage({ data: ok(text) }));
      }
      close() {
        this.readyState = 3;
      }
    };
  }
}

function ok(register: string): string {
  const lines = register.split('\r\n');
  const copy = (name: string) => lines.find(line => line.startsWith(`${name}:`)) ?? '';
  return ['SIP/2.0 200 OK', copy('Via'), copy('From'), `${copy('To')};tag=1`, copy('Call-ID'), copy('CSeq'), copy('Contact'), 'Content-Length: 0', '', '']
    .join('\r\n');
}

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

async function goOnline(t: TestContext, server: Server) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const states: string[] = [];
  const globals = { location: { protocol: 'https:', host: 'page.example' }, WebSocket: function () { return new (server.socket())(); } };
  for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  const token = {
    access_token: 't', expires_in: 600, impu: 'sip:guest-1@ims.example', display_name: null, sip_uri: 'sip:ims.example', realm: 'ims.example',
    websocket_path: '/sip',
  };
  const registration = new Registration({ imsToken: () => Promise.resolve(token) } as unknown as Api, 'Anonymous', {
    onstate: (state, problem) => states.push(problem ? `${state} ${problem.code}` : state), onincoming() {},
  });
  t.after(() => registration.goOffline());
  registration.goOnline();
  await settle();
  return { registration, states };
}

test('a connection that is not opened is given up, said, and tried again', async t => {
  const server = new Server({ opens: false, answers: false }, { opens: true, answers: true });
  const { registration, states } = await goOnline(t, server);
  t.mock.timers.tick(answerLimit - 1);
  assert.deepEqual(states, ['connecting']);
  t.mock.timers.tick(1);
  assert.deepEqual(states, ['connecting', 'connecting ims_unavailable']);
  t.mock.timers.tick(2000);
  await settle();
  assert.equal(registration.state, 'online');
  assert.equal(server.connections, 2);
});

test('a connection that swallows the REGISTER is given up, said, and made again', async t => {
  const server = new Server({ opens: true, answers: false }, { opens: true, answers: true });
  const { registration, states } = await goOnline(t, server);
  assert.equal(server.sent.length, 1);
  t.mock.timers.tick(answerLimit);
  assert.equal(states.at(-1), 'connecting ims_unavailable');
  t.mock.timers.tick(2000);
  await settle();
  assert.equal(registration.state, 'online');
});

test('a connection that answers stays', async t => {
  const server = new Server({ opens: true, answers: true });
  const { registration } = await goOnline(t, server);
  assert.equal(registration.state, 'online');
  t.mock.timers.tick(3 * answerLimit);
  await settle();
  assert.deepEqual([registration.state, server.connections], ['online', 1]);
});
