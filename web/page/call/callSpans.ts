import type { Span } from '@opentelemetry/api';
import type { CallView } from './callView.ts';
import type { Trace } from '../telemetry/trace.ts';

// The page's own steps of the figure. The servers report the others.
const names: Record<number, string> = { 1: 'click call', 2: 'request TURN token', 7: 'configure peer connection', 8: 'allocate relay' };

/** A view of a call that also records a span for each step. The root span ends when the set-up succeeds or fails. */
export function recordSteps(view: CallView, trace: Trace): CallView {
  const open = new Map<number, Span>();
  let expiresAt = Infinity;

  const close = (step: number, error?: string) => {
    const span = open.get(step);
    open.delete(step);
    if (span) trace.end(span, error);
  };
  const notSetUp = (error: string) => {
    if (!trace.root.isRecording()) return;
    for (const step of open.keys()) close(step, error);
    trace.end(trace.root, error);
  };

  return {
    ...forward(view),
    step(number, state, took) {
      const name = names[number];
      if (state === 'active' && name) open.set(number, trace.begin(name, number));
      if (state === 'done') close(number);
      // The step was not needed. Its span never ends, so it is never sent.
      if (state === 'pending' && open.delete(number)) trace.current = trace.root;
      view.step(number, state, took);
    },
    connected(sinceClick) {
      trace.end(trace.root);
      view.connected(sinceClick);
    },
    phase(phase) {
      if (phase === 'ended') notSetUp('cancelled');
      view.phase(phase);
    },
    credentials(credentials) {
      expiresAt = credentials.expiresAt;
      view.credentials(credentials);
    },
    failed(problem, step) {
      // TURN answers 401 to every token that it rejects. The page knows that this one has expired.
      notSetUp(problem.code === 'turn_401' && performance.now() >= expiresAt ? 'token_expired' : problem.code);
      view.failed(problem, step);
    },
  };
}

/** A spread would lose the methods of a view's prototype. */
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
