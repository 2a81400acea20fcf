import type { PathSample } from './pathWatch.ts';
import type { Problem } from './problem.ts';

/** The media of one call: with an echo in this page (`LoopCall`) or with a person (`SipCall`). */
export interface Leg {
  /**
   * Resolves when media can flow. `offered` when the browser has taken the credentials, `relayed` with the first relay
   * candidate, if there is one.
   */
  connect(offered: () => void, relayed: (candidate: RTCIceCandidate) => void): Promise<void>;
  /** New credentials, from the next ICE restart of either side on. */
  useConfiguration(configuration: RTCConfiguration): void;
  /**
   * Restarts ICE, or waits up to `patience` ms for the far end to do so. Resolves when both sides have agreed, or when the wait is
   * `notNeeded` any more.
   */
  restart(patience: number, notNeeded: AbortSignal): Promise<void>;
  /** What arrives at the moment. */
  sample(): Promise<PathSample | undefined>;
  statistics(): Promise<RTCStatsReport>;
  mute(muted: boolean): void;
  /** Sends this picture from now on, or none. */
  turnCamera(track: MediaStreamTrack | undefined): Promise<void>;
  /** Another microphone or camera in the running call. */
  replace(track: MediaStreamTrack): Promise<void>;
  /** `isLost` if the path could not be restored. The far end gets this reason. */
  close(isLost?: boolean): void;
}

export interface LegEvents {
  onmedia(stream: MediaStream): void;
  /** The browser reports a change of the path. */
  onpath(): void;
  onphase(phase: 'calling' | 'ringing'): void;
  /** Nothing comes from the far end because one of the two holds the call. */
  onhold(held: { here: boolean; there: boolean }): void;
  /** Which of the two sides sends a picture. */
  onvideo(video: { here: boolean; there: boolean }): void;
  /** The far end or the network ended the call. A hang-up is not a problem. */
  onended(problem: Problem | undefined): void;
}
