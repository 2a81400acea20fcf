/**
 * Something that went wrong, by code. `texts.ts` has a title and a sentence for each code; codes that come from the
 * server are the `code` member of its problem details.
 */
export class Problem extends Error {
  readonly code: string;
  /** Step of figure X.5.3.2-1 that failed, where one did. */
  readonly step: number | undefined;
  /** Seconds after which another try makes sense, when the server said so. */
  readonly retryAfter: number | undefined;
  /** The server's own sentence, for codes that this page does not know. */
  readonly detail: string | undefined;

  constructor(code: string, more: { step?: number; retryAfter?: number | undefined; detail?: string | undefined } = {}) {
    super(code);
    this.code = code;
    this.step = more.step;
    this.retryAfter = more.retryAfter;
    this.detail = more.detail;
  }

  /** Another try would end the same way. */
  get isFinal(): boolean {
    return this.code === 'registration_forbidden' || this.code === 'no_subscription';
  }

  get asksToSignIn(): boolean {
    return this.code === 'not_signed_in' || this.code === 'session_expired';
  }
}

/** The problem in whatever was thrown. */
export function problemOf(thrown: unknown): Problem {
  return thrown instanceof Problem ? thrown : new Problem('unexpected', { detail: thrown instanceof Error ? thrown.name : undefined });
}
