import type { Problem } from './problem.ts';

export type StepState = 'pending' | 'active' | 'done' | 'skipped' | 'failed';
export type Phase = 'media' | 'authorising' | 'connecting' | 'calling' | 'ringing' | 'inCall' | 'interrupted' | 'ended' | 'failed';

/** What happens during a call, for the page to show. */
export interface CallView {
  phase(phase: Phase): void;
  /** `took` in milliseconds; undefined if it was not measured. */
  step(number: number, state: StepState, took?: number): void;
  localMedia(stream: MediaStream): void;
  remoteMedia(stream: MediaStream): void;
  relayed(candidate: RTCIceCandidate, sinceClick: number): void;
  /** Which side holds the call, if any. */
  held(held: { here: boolean; there: boolean }): void;
  /** Which side sends a picture. */
  video(video: { here: boolean; there: boolean }): void;
  connected(sinceClick: number): void;
  /** The path is lost. The call is given up at this time of `performance.now()`; undefined when the path is back. */
  interrupted(giveUpAt: number | undefined): void;
  credentials(credentials: Credentials): void;
  /** A failure that the call may survive. */
  warning(problem: Problem, interrupted: boolean): void;
  /** The last warning no longer applies. */
  recovered(): void;
  /** The call is over because of this; `step` failed, unless the call had been up. */
  failed(problem: Problem, step: number | undefined): void;
}

export interface Credentials {
  /** On the clock of `performance.now()`, which nobody can set. */
  expiresAt: number;
  lifetime: number;
  renewals: number;
}
