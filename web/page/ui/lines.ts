import type { Phase } from '../call/callView.ts';
import { type Problem, problemOf } from '../call/problem.ts';
import type { Line } from '../phone/line.ts';
import { ringTime } from '../phone/ringing.ts';
import { find } from '../../shared/dom.ts';
import { clock } from '../../shared/texts/formats.ts';
import { texts } from '../../shared/texts/language.ts';
import { story } from '../stage/story.ts';
import type { Alerts } from './alerts.ts';
import { Screen } from './screen.ts';
import { statusOf } from './statusLine.ts';
import type { Tones } from './tones.ts';

/** The two lines of the telephone, and the drawing of the one that is shown. */
export class Lines {
  readonly screen: Screen;
  readonly #alerts: Alerts;
  readonly #tones: Tones;
  readonly #isRinging: () => boolean;
  readonly #onchange: () => void;
  /** The line that the page shows. It stays after its end, until the next call. */
  #shown: Line | undefined;
  /** The line on hold. */
  #other: Line | undefined;
  #refusal: Problem | undefined;
  /** A line is being put on hold, to leave its place to another one. */
  #isChanging = false;

  constructor(alerts: Alerts, tones: Tones, isRinging: () => boolean, onchange: () => void) {
    this.#alerts = alerts;
    this.#tones = tones;
    this.#isRinging = isRinging;
    this.#onchange = onchange;
    this.screen = new Screen(onchange);
  }

  get shown(): Line | undefined {
    return this.#shown;
  }

  get other(): Line | undefined {
    return this.#other;
  }

  get hasCall(): boolean {
    return this.#shown !== undefined && !this.#shown.isOver;
  }

  get isChanging(): boolean {
    return this.#isChanging;
  }

  get phase(): Phase | 'idle' {
    return this.#refusal ? 'failed' : this.#shown?.phase ?? 'idle';
  }

  get problem(): Problem | undefined {
    return this.#refusal ?? this.#shown?.problem;
  }

  /** Whether the timer is of the call that the page shows. */
  get isTimed(): boolean {
    return !this.#refusal && (this.#shown?.connectedAt !== undefined || this.#shown?.phase === 'ringing');
  }

  show(line: Line): void {
    this.#refusal = undefined;
    this.#shown = line;
    this.screen.show(line);
    this.redraw();
  }

  /** A problem before there is a call. */
  refuse(problem: Problem): void {
    this.clear();
    this.#refusal = problem;
    this.redraw();
  }

  /** Removes the last call from the page. */
  clear(): void {
    if (this.hasCall) return;
    this.#alerts.clear();
    this.#shown = undefined;
    this.#refusal = undefined;
    this.screen.clear();
    story.clear();
    this.redraw();
  }

  /** The line is over. The one on hold takes its place. */
  end(line: Line): void {
    if (line === this.#other) this.#other = undefined;
    else if (line === this.#shown) {
      this.screen.end();
      this.#alerts.clear();
      if (this.#other) this.bringBack(this.#other);
      else this.redraw();
    }
    this.#onchange();
  }

  /** Leaves the place of the shown line to another one. */
  setAside(): void {
    if (!this.hasCall) return;
    this.#shown!.detach();
    this.#other = this.#shown;
    this.#shown = undefined;
  }

  bringBack(line: Line, other?: Line): void {
    this.#other = other;
    this.show(line);
    this.#onchange();
  }

  /** The line on hold becomes the one that is shown, and the other way round. */
  async swap(): Promise<void> {
    const [shown, held] = [this.#shown, this.#other];
    if (!shown || !held || this.#isChanging || !await this.holdShown()) return;
    // One of them may have ended meanwhile.
    if (shown.isOver || this.#other !== held) return;
    this.setAside();
    this.bringBack(held, shown);
    await this.hold(held, false);
  }

  async hold(line: Line | undefined, on: boolean): Promise<boolean> {
    if (!line?.call || line.held.here === on) return line !== undefined;
    try {
      await line.call.hold(on);
      return true;
    } catch (thrown) {
      if (line.isTalking) this.#alerts.show(problemOf(thrown));
      return false;
    }
  }

  /** False if the line cannot be held, or another one is shown by then. */
  async holdShown(): Promise<boolean> {
    const line = this.#shown;
    this.#isChanging = true;
    const isHeld = await this.hold(line, true);
    this.#isChanging = false;
    return isHeld && this.#shown === line;
  }

  redraw(): void {
    const { phase } = this;
    find('stage').dataset.phase = phase;
    if (phase === 'ringing') this.#tones.ringback();
    else if (!this.#isRinging()) this.#tones.stop();
    this.redrawStatus();
    this.tick();
  }

  redrawStatus(): void {
    if (this.#shown && !this.#refusal) return this.write(statusOf(this.#shown));
    this.write(this.#isRinging() ? texts.status.incoming : this.#refusal ? texts.status.failed : texts.status.ready);
  }

  write(text: string): void {
    if (find('status').textContent !== text) find('status').textContent = text;
  }

  /** Called each second. */
  tick(): void {
    this.screen.tick();
    const line = this.#shown;
    const now = performance.now();
    const ring = line?.phase === 'ringing' && line.ringingSince !== undefined ? ringTime(line.ringingSince, now) : undefined;
    find('call-timer').textContent = clock(ring ? ring.passed : line?.seconds(now) ?? 0);
    find('ring-left').textContent = ring ? texts.labels.ringsFor(ring.left) : '';
  }
}
