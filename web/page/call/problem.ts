/**
 * A failure, by its code. Each language's catalogue has a title and a sentence for each code. A server's code is the `code` member
 * of its problem details.
 */
export class Problem extends Error {
  readonly code: string;
  /** The step of figure X.5.3.2-1 that failed, if any. */
  readonly step: number | undefined;
  /** Seconds to wait before another try, if the server gave them. */
  readonly retryAfter: number | undefined;
  /** The server's own sentence, for codes without a text. */
  readonly detail: string | undefined;

  constructor(code: string, more: { step?: number; retryAfter?: number | undefined; detail?: string | undefined } = {}) {
    super(code);
    this.code = code;
    this.step = more.step;
    this.retryAfter = more.retryAfter;
    this.detail = more.detail;
  }

  /** True if another try would fail in the same way. */
  get isFinal(): boolean {
    return ['registration_forbidden', 'no_subscription', 'passkey_missing'].includes(this.code);
  }

  /** True if a generated tone can replace the microphone and camera. */
  get isOfMedia(): boolean {
    return this.step === 1;
  }

  get asksToSignIn(): boolean {
    return this.code === 'not_signed_in' || this.code === 'session_expired';
  }
}

/** The thrown problem, or an unexpected one. */
export function problemOf(thrown: unknown): Problem {
  return thrown instanceof Problem ? thrown : new Problem('unexpected', { detail: thrown instanceof Error ? thrown.name : undefined });
}
