import type { StepState } from '../call/callView.ts';

/** What the page measured of one call. Times are milliseconds since the click. */
export interface Recording {
  /** By number of the step, from 1. */
  steps: ReadonlyMap<number, RecordedStep>;
  /** When the relay was there, and when the call was connected. */
  relayed?: number;
  connected?: number;
}
export interface RecordedStep {
  state: StepState;
  /** When the step became active; unknown for the steps of the servers. */
  began?: number;
  ended?: number;
  /** As reported; undefined if the part did not report it. */
  took?: number | undefined;
}

/** A part of the story on the screen: a step of the figure, or the connection after it. */
export interface Beat {
  number: number;
  began: number;
  took: number;
  isReported: boolean;
  state: StepState;
}

export const lastStep = 8;
/** After the steps of the figure: the media path is checked, or the other side answers. */
export const connecting = lastStep + 1;

/**
 * The beats of a call in order and without gaps, so their durations add up to the total. Step 2 has what the network adds to the
 * servers' times: the request and the answer, but not the work of steps 3 to 5.
 */
export function beatsOf({ steps, relayed, connected }: Recording): Beat[] {
  const took = (number: number) => steps.get(number)?.took ?? 0;
  const first = took(1);
  const answered = steps.get(7)?.began ?? steps.get(2)?.ended ?? first + [2, 3, 4, 5, 6].reduce((sum, number) => sum + took(number), 0);
  const servers = Math.max(0, answered - first);
  // The WWSF's time for step 4 covers step 5, which is shown by itself.
  const waf = took(4) >= took(5) && took(2) + took(3) + took(4) + took(5) + took(6) > servers + took(5) / 2 ? took(4) - took(5) : took(4);
  const parts = [took(3), waf, took(5), took(6)];
  const durations = [first, Math.max(0, servers - parts.reduce((sum, part) => sum + part, 0)), ...parts];
  durations.push(took(7));
  const before = durations.reduce((sum, part) => sum + part, 0);
  durations.push(relayed === undefined ? took(8) : Math.max(0, relayed - before));
  if (connected !== undefined) durations.push(Math.max(0, connected - before - durations[7]!));

  const beats: Beat[] = [];
  let began = 0;
  durations.forEach((duration, index) => {
    const number = index + 1;
    const step = steps.get(number);
    const state = number === connecting ? 'done' : step?.state ?? 'pending';
    beats.push({ number, began, took: duration, isReported: number === connecting || number === 2 || step?.took !== undefined, state });
    began += duration;
  });
  return beats;
}

/** The total and each duration in tenths of a millisecond, rounded so that they add up. */
export function tenthsOf(beats: readonly Beat[]): { total: number; each: number[] } {
  const edges = beats.map(beat => Math.round(beat.began * 10));
  const last = beats.at(-1);
  const total = last ? Math.round((last.began + last.took) * 10) : 0;
  return { total, each: edges.map((edge, index) => (edges[index + 1] ?? total) - edge) };
}

/** How long a beat is on the screen at normal speed of the replay, in milliseconds. */
export const shownFor = 1100;

/** How many times slower than the call the replay shows a beat; below 1 it is faster. Undefined for a beat without a duration. */
export function slowMotion(beat: Beat): number | undefined {
  return beat.took > 0 ? shownFor / beat.took : undefined;
}

/** The beat and the part of it at a position of the slider, which counts beats from 0. */
export function at(position: number, count: number): { index: number; part: number } {
  const bounded = Math.min(Math.max(position, 0), count);
  const index = Math.min(Math.floor(bounded), Math.max(count - 1, 0));
  return { index, part: bounded - index };
}

/** Milliseconds since the click at a position of the slider. */
export function timeAt(beats: readonly Beat[], position: number): number {
  const { index, part } = at(position, beats.length);
  const beat = beats[index];
  return beat ? beat.began + part * beat.took : 0;
}
