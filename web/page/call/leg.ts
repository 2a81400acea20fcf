import type { Problem } from './problem.ts';

/** The media of one call: with an echo in this page (`LoopCall`) or with a person (`SipCall`). */
export interface Leg {
  /**
   * Resolves when media can flow. `offered` when the browser has taken the credentials, `relayed` with the first relay
   * candidate, if there is one.
   */
  connect(offered: () => void, relayed: (candidate: RTCIceCandidate) => void): Promise<void>;
  /** New credentials and an ICE restart, which may wait up to `patience` ms for the far end to ask for one. */
  renew(configuration: RTCConfiguration, patience: number): Promise<void>;
  statistics(): Promise<RTCStatsReport>;
  mute(muted: boolean): void;
  /** Another microphone or camera in the running call. */
  replace(track: MediaStreamTrack): Promise<void>;
  close(): void;
}

export interface LegEvents {
  onmedia(stream: MediaStream): void;
  /** The path broke (renew at once) or carries media again. */
  onpath(state: 'lost' | 'back'): void;
  onphase(phase: 'calling' | 'ringing'): void;
  /** Nothing comes from the far end because one of the two holds the call. */
  onhold(held: { here: boolean; there: boolean }): void;
  /** The far end or the network ended the call. A hang-up is not a problem. */
  onended(problem: Problem | undefined): void;
}
