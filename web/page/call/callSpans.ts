import type { Span } from '@opentelemetry/api';
import type { CallView } from './callView.ts';
import type { MediaStatistics } from './statistics.ts';
import type { Trace } from '../telemetry/trace.ts';

type Received = Pick<MediaStatistics, 'packetsReceived' | 'packetsLost'>;

// The page's own steps of the figure. The servers report the others.
const names: Record<number, string> = { 1: 'click call', 2: 'request TURN token', 7: 'configure peer connection', 8: 'allocate relay' };

/**
 * A view of a call that also records a span for each step. The root span ends when the set-up succeeds or fails. From then to the end of
 * the call there is a span with the packets that have come and the ones that were lost, as `received` last counted them.
 */
export function recordSteps(view: CallView, trace: Trace, received: () => Received | undefined = () => undefined): CallView {
  const open = new Map<number, Span>();
  let inCall: Span | undefined;
  let isInterrupted = false;
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

  const endCall = (error?: string) => {
    const counts = received();
    if (counts) inCall?.setAttributes({ 'ims.media.packets_received': counts.packetsReceived, 'ims.media.packets_lost': Math.max(0, counts.packetsLost) });
    if (inCall) trace.end(inCall, error);
  };

  return {
    ...view,
    step(number, state, took) {
      const name = names[number];
      if (state === 'active' && name) open.set(number, trace.begin(name, number));
      if (state === 'done') close(number);
      // The step was not needed. Its span never ends, so it is never sent.
      if (state === 'skipped' && open.delete(number)) trace.current = trace.root;
      view.step(number, state, took);
    },
    connected(sinceClick) {
      trace.end(trace.root);
      inCall = trace.begin('in call');
      // Requests from now on belong to the call, not to one of its parts.
      trace.current = trace.root;
      view.connected(sinceClick);
    },
    phase(phase) {
      if (phase === 'ended') {
        notSetUp('cancelled');
        // The user did not wait for the end of the silence.
        endCall(isInterrupted ? 'connection_interrupted' : undefined);
      }
      view.phase(phase);
    },
    interrupted(giveUpAt) {
      isInterrupted = giveUpAt !== undefined;
      view.interrupted(giveUpAt);
    },
    credentials(credentials) {
      expiresAt = credentials.expiresAt;
      view.credentials(credentials);
    },
    failed(problem, step) {
      // TURN answers 401 to every token that it rejects. The page knows that this one has expired.
      notSetUp(problem.code === 'turn_401' && performance.now() >= expiresAt ? 'token_expired' : problem.code);
      endCall(problem.code);
      view.failed(problem, step);
    },
  };
}
