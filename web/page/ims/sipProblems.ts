import { Problem } from '../call/problem.ts';

const codes: Record<number, string> = {
  401: 'not_authorised', 403: 'call_forbidden', 404: 'nobody_there', 408: 'no_answer', 480: 'not_online', 486: 'busy', 487: 'cancelled',
  488: 'no_common_format', 503: 'ims_overloaded', 600: 'busy', 603: 'declined', 604: 'nobody_there', 606: 'no_common_format',
};

/** The problem behind a final answer of the far end or of the IMS. */
export function problemOfAnswer(statusCode: number, retryAfter?: number): Problem {
  return new Problem(codes[statusCode] ?? 'call_failed', { detail: `SIP ${statusCode}`, retryAfter });
}

/** The problem behind the end of a call; undefined for a hang-up. */
export function problemOfEnd(cause: string, statusCode: number | undefined, step?: Problem): Problem | undefined {
  if (step) return step;
  if (cause === 'Terminated' || cause === 'Canceled') return undefined;
  if (statusCode !== undefined) return problemOfAnswer(statusCode);
  if (cause === 'Connection Error') return new Problem('ims_unavailable');
  if (cause === 'No Answer' || cause === 'Request Timeout' || cause === 'Expires') return new Problem('no_answer');
  return new Problem('call_failed', { detail: cause });
}

/** Why a REGISTER failed. Without an answer the IMS could not be reached. */
export function registrationProblem(statusCode: number | undefined): Problem {
  if (statusCode === 403) return new Problem('registration_forbidden');
  return new Problem(statusCode === undefined ? 'ims_unavailable' : statusCode === 503 ? 'ims_overloaded' : 'registration_failed');
}

/** The reason in the BYE of a call whose path could not be restored (3GPP TS 24.229 §7.2A.18.11). */
export const mediaLostReason = 'Reason: RELEASE_CAUSE;cause=2;text="RTP/RTCP time-out"';

/**
 * The problem that a Reason header names (RFC 3326); undefined if it names none, such as the end by a user. 2 and 3 are a time-out of
 * the media and the loss of its bearer. Other clients name the time-out as SIP 408.
 */
export function problemOfReason(header: string | undefined): Problem | undefined {
  for (const [, protocol, cause] of (header ?? '').matchAll(/(?:^|,)\s*(\w+)\s*(?:;[^,]*?)?;\s*cause\s*=\s*(\d+)/gi)) {
    const name = protocol!.toUpperCase();
    if ((name === 'RELEASE_CAUSE' && ['2', '3'].includes(cause!)) || (name === 'SIP' && cause === '408')) return new Problem('connection_lost_there');
  }
  return undefined;
}
