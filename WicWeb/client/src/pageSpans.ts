import type { CallView, StepState } from './callFlow.ts';
import { randomHex, type Trace } from './trace.ts';

interface Span { id: string; name: string; parent: string; start: number; end?: number; step?: number; error?: string }

// What the figure has the page do; the other steps are told by the servers.
const names: Record<number, string> = { 1: 'click call', 2: 'request TURN token', 7: 'configure peer connection', 8: 'allocate relay' };

/**
 * A view of a call that also makes the page's own spans and sends them through the gateway (`POST /v1/traces`, OTLP in JSON).
 * Never an address, a token or a name. Where nobody takes them they are lost, and the call does not notice.
 */
export function tellTraces(view: CallView, trace: Trace): CallView {
  const call: Span = { id: trace.root, name: 'call', parent: trace.parent, start: now() };
  const open = new Map<number, Span>();
  let done: Span[] = [];
  let expiresAt = Infinity;

  const begin = (step: number) => {
    const name = names[step];
    if (!name) return;
    const span = { id: randomHex(8), name, parent: trace.root, start: step === 1 ? call.start : now(), step };
    open.set(step, span);
    trace.current = span.id;
  };
  const end = (step: number, error?: string) => {
    const span = open.get(step);
    if (!span) return;
    open.delete(step);
    done.push({ ...span, end: now(), ...(error ? { error } : {}) });
    if (trace.current === span.id) trace.current = trace.root;
  };
  let isSetUp = false;
  const setUp = (error?: string) => {
    isSetUp = true;
    done.push({ id: randomHex(8), name: 'set up call', parent: trace.root, start: call.start, end: now(), ...(error ? { error } : {}) });
  };
  const flush = (error?: string) => {
    // The call's span goes with each batch, longer each time: its children are never without it.
    const batch = [{ ...call, end: now(), ...(error ? { error } : {}) }, ...done];
    done = [];
    void send(trace.id, batch);
  };

  return {
    ...forward(view),
    step(number: number, state: StepState, took?: number) {
      if (state === 'active') begin(number);
      if (state === 'done') end(number);
      view.step(number, state, took);
    },
    connected(sinceClick) {
      setUp();
      flush();
      view.connected(sinceClick);
    },
    phase(phase) {
      if (phase === 'ended') flush();
      view.phase(phase);
    },
    credentials(credentials) {
      expiresAt = credentials.expiresAt;
      view.credentials(credentials);
    },
    failed(problem, step) {
      // TURN answers 401 to every token that it does not take; that this one had ended the page knows by itself.
      const code = problem.code === 'turn_401' && performance.now() >= expiresAt ? 'token_expired' : problem.code;
      for (const number of open.keys()) end(number, code);
      if (!isSetUp) setUp(code);
      flush(code);
      view.failed(problem, step);
    },
  };
}

/** A view is usually an object with a prototype, which a spread would leave behind. */
function forward(view: CallView): CallView {
  return {
    phase: phase => view.phase(phase),
    step: (number, state, took) => view.step(number, state, took),
    localMedia: stream => view.localMedia(stream),
    remoteMedia: stream => view.remoteMedia(stream),
    relayed: (candidate, sinceClick) => view.relayed(candidate, sinceClick),
    held: held => view.held(held),
    connected: sinceClick => view.connected(sinceClick),
    credentials: credentials => view.credentials(credentials),
    warning: (problem, interrupted) => view.warning(problem, interrupted),
    recovered: () => view.recovered(),
    failed: (problem, step) => view.failed(problem, step),
  };
}

async function send(traceId: string, spans: Span[]): Promise<void> {
  try {
    await fetch('/v1/traces', { method: 'POST', keepalive: true, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(otlp(traceId, spans)) });
  } catch {
    // Telemetry only.
  }
}

/** An ExportTraceServiceRequest of OTLP/JSON: ids in hexadecimal, times in nanoseconds as text. */
export function otlp(traceId: string, spans: Span[]): object {
  return {
    resourceSpans: [{
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'wic' } }] },
      scopeSpans: [{
        scope: { name: 'WebRtcIms.Wic' },
        spans: spans.map(span => ({
          traceId, spanId: span.id, parentSpanId: span.parent, name: span.name, kind: span.step === 2 ? 3 : 1,
          startTimeUnixNano: nanoseconds(span.start), endTimeUnixNano: nanoseconds(span.end ?? span.start),
          attributes: [
            ...(span.step ? [{ key: 'ims.step', value: { intValue: String(span.step) } }] : []),
            ...(span.error ? [{ key: 'error.type', value: { stringValue: span.error } }] : []),
          ],
          status: span.error ? { code: 2 } : {},
        })),
      }],
    }],
  };
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

function nanoseconds(milliseconds: number): string {
  return `${BigInt(Math.round(milliseconds * 1000)) * 1000n}`;
}
