import { Problem } from './problem.ts';
import { relayGathered } from './turn.ts';

const tryEvery = 1_000;
const tryFor = 3_000;

/** Makes one allocation and gives it back. */
export async function allocateOnce(configuration: RTCConfiguration, signal: AbortSignal): Promise<void> {
  const connection = new RTCPeerConnection(configuration);
  try {
    connection.createDataChannel('reach');
    await Promise.all([relayGathered(connection, signal), connection.setLocalDescription()]);
  } finally {
    connection.close();
  }
}

/**
 * Resolves as soon as the TURN server gives an allocation; rejects if it refuses one. While it is silent, a new try begins each second,
 * because the retransmissions of one try become rare (RFC 8489 §6.2.1). A try goes on for three seconds, for slow networks.
 */
export function untilReachable(configuration: RTCConfiguration, signal: AbortSignal, allocate = allocateOnce): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const settle = (then: () => void) => {
      if (over.signal.aborted) return;
      clearInterval(timer);
      over.abort(new Problem('cancelled'));
      then();
    };
    const begin = () => {
      const end = new AbortController();
      const limit = setTimeout(() => end.abort(new Problem('turn_unreachable', { step: 8 })), tryFor);
      allocate(configuration, AbortSignal.any([over.signal, end.signal])).then(
        () => settle(resolve),
        (problem: unknown) => {
          if (!(problem instanceof Problem && ['turn_unreachable', 'cancelled'].includes(problem.code))) settle(() => reject(problem as Error));
        }).finally(() => clearTimeout(limit));
    };
    const timer = setInterval(begin, tryEvery);
    signal.addEventListener('abort', () => settle(() => reject(signal.reason as Error)), { once: true });
    begin();
  });
}
