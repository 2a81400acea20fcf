import type { Span } from '@opentelemetry/api';
import type { CallView } from './callFlow.ts';
import type { Trace } from './trace.ts';

// What the figure has the page do; the other steps are told by the servers.
const names: Record<number, string> = { 1: 'click call', 2: 'request TURN token', 7: 'configure peer connection', 8: 'allocate relay' };

/** A view of a call that also makes spans of its steps. Its trace's root ends when the call is set up, or will not be. */
export function tellTraces(view: CallView, trace: Trace): CallView {
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
      // It was not needed after all: a span that never ends is never sent.
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
      // TURN answers 401 to every token that it does not take; that this one had ended the page knows by itself.
      notSetUp(problem.code === 'turn_401' && performance.now() >= expiresAt ? 'token_expired' : problem.code);
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
