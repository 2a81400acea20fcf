import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { CallView } from '../src/callFlow.ts';
import { tellTraces } from '../src/pageSpans.ts';
import { Problem } from '../src/problem.ts';
import { Trace } from '../src/trace.ts';

interface SentSpan { traceId: string; spanId: string; parentSpanId: string; name: string; startTimeUnixNano: string; endTimeUnixNano: string; attributes: { key: string; value: Record<string, string> }[]; status: { code?: number } }

const silent = new Proxy({}, { get: () => () => {} }) as CallView;
const realFetch = globalThis.fetch;
let sent: SentSpan[][] = [];

beforeEach(() => {
  sent = [];
  globalThis.fetch = (async (address: string, options: { body: string }) => {
    assert.equal(address, '/v1/traces');
    sent.push(JSON.parse(options.body).resourceSpans[0].scopeSpans[0].spans);
    return { ok: true };
  }) as unknown as typeof fetch;
});
afterEach(() => { globalThis.fetch = realFetch; });

const attribute = (span: SentSpan | undefined, key: string) => Object.values(span?.attributes.find(pair => pair.key === key)?.value ?? {})[0];

test('a connected call sends its own four steps below one span', () => {
  const trace = new Trace();
  const view = tellTraces(silent, trace);
  for (const step of [1, 2, 7, 8]) {
    view.step(step, 'active');
    view.step(step, 'done');
  }
  view.connected(100);

  const [spans] = sent;
  assert.deepEqual(spans?.map(span => [span.name, attribute(span, 'ims.step')]), [
    ['call', undefined], ['click call', '1'], ['request TURN token', '2'], ['configure peer connection', '7'], ['allocate relay', '8'],
    ['set up call', undefined],
  ]);
  assert.ok(spans?.every(span => span.traceId === trace.id && /^[0-9a-f]{16}$/.test(span.spanId)));
  assert.ok(spans?.slice(1).every(span => span.parentSpanId === trace.root));
  assert.ok(spans?.every(span => BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano)));
});

test('a request is the child of the step that makes it', () => {
  const trace = new Trace();
  const view = tellTraces(silent, trace);
  view.step(1, 'active');
  view.step(1, 'done');
  view.step(2, 'active');
  const parent = trace.traceparent().split('-')[2];
  view.step(2, 'done');
  view.connected(1);

  assert.equal(sent[0]?.find(span => attribute(span, 'ims.step') === '2')?.spanId, parent);
  assert.equal(trace.current, trace.root);
});

test('a failure ends the step that was at work, with its code', () => {
  const view = tellTraces(silent, new Trace());
  view.step(8, 'active');
  view.step(8, 'failed');
  view.failed(new Problem('turn_401'), 8);

  const span = sent[0]?.find(candidate => attribute(candidate, 'ims.step') === '8');
  assert.deepEqual([attribute(span, 'error.type'), span?.status.code], ['turn_401', 2]);
  assert.equal(attribute(sent[0]?.find(candidate => candidate.name === 'set up call'), 'error.type'), 'turn_401');
});

test('that the token had ended is told of a 401, and of nothing else', () => {
  for (const [code, expiresAt, expected] of [['turn_401', performance.now(), 'token_expired'], ['turn_401', performance.now() + 1e6, 'turn_401'], ['turn_486', performance.now(), 'turn_486']] as const) {
    sent = [];
    const view = tellTraces(silent, new Trace());
    view.credentials({ expiresAt, lifetime: 600, renewals: 0 });
    view.step(8, 'active');
    view.failed(new Problem(code), 8);
    assert.equal(attribute(sent[0]?.find(span => attribute(span, 'ims.step') === '8'), 'error.type'), expected);
  }
});

test('no telemetry, no difference', () => {
  globalThis.fetch = (() => Promise.reject(new TypeError('offline'))) as typeof fetch;
  const told: number[] = [];
  const view = tellTraces({ ...silent, connected: took => told.push(took) } as CallView, new Trace());
  view.connected(7);
  assert.deepEqual(told, [7]);
});
