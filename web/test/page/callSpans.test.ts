import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { SpanStatusCode, trace as api } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { CallView } from '../../page/call/callView.ts';
import { recordSteps } from '../../page/call/callSpans.ts';
import { Problem } from '../../page/call/problem.ts';
import { Trace } from '../../page/telemetry/trace.ts';

const silent = new Proxy({}, { get: () => () => {} }) as CallView;
const sent = new InMemorySpanExporter();
api.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: sent })] }));

beforeEach(() => sent.reset());

const named = (name: string) => sent.getFinishedSpans().find(span => span.name === name);
const errorOf = (span: ReadableSpan | undefined) => [span?.attributes['error.type'], span?.status.code === SpanStatusCode.ERROR];
const nanoseconds = ([seconds, rest]: readonly [number, number]) => BigInt(seconds) * 1_000_000_000n + BigInt(rest);

function doSteps(view: CallView, steps = [1, 2, 7, 8]): void {
  for (const step of steps) {
    view.step(step, 'active');
    view.step(step, 'done');
  }
}

test('a call is one span until it is set up, and below it its own four steps, each sent once', () => {
  const trace = new Trace('set up call');
  const view = recordSteps(silent, trace);
  doSteps(view);
  assert.equal(named('set up call'), undefined);
  view.connected(100);
  view.phase('ended');

  const spans = sent.getFinishedSpans();
  assert.deepEqual(spans.map(span => [span.name, span.attributes['ims.step']]), [
    ['click call', 1], ['request TURN token', 2], ['configure peer connection', 7], ['allocate relay', 8], ['set up call', undefined], ['in call', undefined],
  ]);
  const root = trace.root.spanContext();
  assert.ok(spans.every(span => span.spanContext().traceId === trace.id && span.status.code === SpanStatusCode.UNSET));
  assert.ok(spans.slice(0, 4).every(span => span.parentSpanContext?.spanId === root.spanId));
  assert.equal(spans[4]?.parentSpanContext, undefined);
  assert.ok(spans.every(span => nanoseconds(span.startTime) <= nanoseconds(span.endTime)));
  assert.ok(Math.abs(Number(nanoseconds(spans[4]!.endTime) / 1_000_000n) - Date.now()) < 1000);
});

test('the span of the call itself has what came and what was lost, and why it ended', () => {
  const counts = { packetsReceived: 500, packetsLost: 3 };
  const hungUp = recordSteps(silent, new Trace('set up call'), () => counts);
  hungUp.phase('ended');
  assert.equal(named('in call'), undefined);
  hungUp.connected(100);
  counts.packetsLost = 4;
  hungUp.phase('ended');
  hungUp.phase('ended');
  assert.deepEqual(sent.getFinishedSpans().filter(span => span.name === 'in call').map(span => span.attributes), [{ 'ims.media.packets_received': 500, 'ims.media.packets_lost': 4 }]);
  assert.deepEqual(errorOf(named('in call')), [undefined, false]);

  sent.reset();
  const trace = new Trace('set up call');
  const dropped = recordSteps(silent, trace);
  dropped.connected(100);
  assert.equal(trace.current, trace.root);
  dropped.failed(new Problem('connection_lost'), undefined);
  assert.deepEqual(errorOf(named('in call')), ['connection_lost', true]);
  assert.deepEqual(errorOf(named('set up call')), [undefined, false]);
});

test('each span of a call tells its kind', () => {
  const view = recordSteps(silent, new Trace('set up call', '', { 'ims.call.kind': 'echo' }));
  doSteps(view);
  view.connected(100);

  assert.deepEqual(sent.getFinishedSpans().map(span => [span.attributes['ims.step'], span.attributes['ims.call.kind']]),
    [[1, 'echo'], [2, 'echo'], [7, 'echo'], [8, 'echo'], [undefined, 'echo']]);
});

test('a request is the child of the step that makes it', () => {
  const trace = new Trace('set up call');
  const view = recordSteps(silent, trace);
  doSteps(view, [1]);
  view.step(2, 'active');
  const parent = trace.traceparent().split('-')[2];
  view.step(2, 'done');

  assert.equal(named('request TURN token')?.spanContext().spanId, parent);
  assert.equal(trace.current, trace.root);
});

test('what comes after the set-up is below it and changes nothing of it', () => {
  const trace = new Trace('set up call');
  const view = recordSteps(silent, trace);
  view.connected(1);
  const renewing = trace.begin('renew credentials');
  assert.equal(trace.traceparent().split('-')[2], renewing.spanContext().spanId);
  trace.end(renewing, 'waf_unavailable');
  view.failed(new Problem('connection_lost'), undefined);

  assert.deepEqual(errorOf(named('renew credentials')), ['waf_unavailable', true]);
  assert.equal(named('renew credentials')?.parentSpanContext?.spanId, trace.root.spanContext().spanId);
  assert.deepEqual(errorOf(named('set up call')), [undefined, false]);
  assert.deepEqual(errorOf(named('in call')), ['connection_lost', true]);
  assert.equal(sent.getFinishedSpans().length, 3);
});

test('a failure ends the step that was at work, with its code', () => {
  const view = recordSteps(silent, new Trace('set up call'));
  view.step(8, 'active');
  view.step(8, 'failed');
  view.failed(new Problem('turn_401'), 8);

  assert.deepEqual(errorOf(named('allocate relay')), ['turn_401', true]);
  assert.deepEqual(errorOf(named('set up call')), ['turn_401', true]);
});

test('who hangs up before has cancelled the call', () => {
  const view = recordSteps(silent, new Trace('set up call'));
  view.step(8, 'active');
  view.phase('ended');

  assert.deepEqual(errorOf(named('allocate relay')), ['cancelled', true]);
  assert.deepEqual(errorOf(named('set up call')), ['cancelled', true]);
});

test('a relay that was not needed is not told, and nothing hangs under it', () => {
  const trace = new Trace('set up call');
  const view = recordSteps(silent, trace);
  view.step(8, 'active');
  view.step(8, 'skipped');
  view.connected(1);

  assert.deepEqual(sent.getFinishedSpans().map(span => span.name), ['set up call']);
  assert.equal(trace.current, trace.root);
});

test('that the token had ended is told of a 401, and of nothing else', () => {
  for (const [code, expiresAt, expected] of [['turn_401', performance.now(), 'token_expired'], ['turn_401', performance.now() + 1e6, 'turn_401'], ['turn_486', performance.now(), 'turn_486']] as const) {
    sent.reset();
    const view = recordSteps(silent, new Trace('set up call'));
    view.credentials({ expiresAt, lifetime: 600, renewals: 0 });
    view.step(8, 'active');
    view.failed(new Problem(code), 8);
    assert.equal(named('allocate relay')?.attributes['error.type'], expected);
  }
});

test('a traceparent is sampled, of the trace, and of the span that is at work', () => {
  const trace = new Trace('set up call');
  assert.match(trace.traceparent(), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.equal(trace.traceparent(), `00-${trace.id}-${trace.root.spanContext().spanId}-01`);
  const step = trace.begin('allocate relay', 8);
  assert.equal(trace.traceparent(), `00-${trace.id}-${step.spanContext().spanId}-01`);
  assert.equal(trace.traceparent(trace.root), `00-${trace.id}-${trace.root.spanContext().spanId}-01`);
});

test('a call that comes in hangs under the caller\'s trace, sampled as that is', () => {
  const id = '5b8efff798038103d269b633813fc60c';
  const trace = new Trace('set up call', `00-${id}-eee19b7ec3c1b174-01 `);
  trace.end(trace.root);
  assert.equal(trace.id, id);
  assert.equal(named('set up call')?.parentSpanContext?.spanId, 'eee19b7ec3c1b174');

  sent.reset();
  const unsampled = new Trace('set up call', `00-${id}-eee19b7ec3c1b174-00`);
  unsampled.end(unsampled.root);
  assert.match(unsampled.traceparent(), new RegExp(`^00-${id}-[0-9a-f]{16}-00$`));
  assert.equal(sent.getFinishedSpans().length, 0);
});

test('a malformed traceparent begins a trace', () => {
  for (const malformed of [undefined, '', 'x', '00-00000000000000000000000000000000-eee19b7ec3c1b174-01', '00-5b8efff798038103d269b633813fc60c-0000000000000000-01', '00-5B8EFFF798038103D269B633813FC60C-eee19b7ec3c1b174-01']) {
    const trace = new Trace('set up call', malformed);
    assert.match(trace.id, /^[0-9a-f]{32}$/);
    assert.notEqual(trace.id, '5b8efff798038103d269b633813fc60c');
    trace.end(trace.root);
    assert.equal(named('set up call')?.parentSpanContext, undefined, malformed);
    sent.reset();
  }
});

test('a call that its user ends during an interruption has failed', () => {
  const view = recordSteps(silent, new Trace('set up call'));
  view.connected(1);
  view.interrupted(60_000);
  view.phase('ended');
  assert.deepEqual(errorOf(named('in call')), ['connection_interrupted', true]);

  sent.reset();
  const healed = recordSteps(silent, new Trace('set up call'));
  healed.connected(1);
  healed.interrupted(60_000);
  healed.interrupted(undefined);
  healed.phase('ended');
  assert.deepEqual(errorOf(named('in call')), [undefined, false]);
});
