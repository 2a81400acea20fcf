import { problemOf } from '../call/problem.ts';
import type { Referral } from '../ims/features.ts';
import type { FarEnd, Line } from '../phone/line.ts';
import type { Names } from '../phone/names.ts';
import type { Alerts } from './alerts.ts';
import type { Lines } from './lines.ts';

/** Blind transfer (RFC 5589 §6), on the side that asks for it and on the side that is transferred. */
export class Transfers {
  readonly #lines: Lines;
  readonly #names: Names;
  readonly #alerts: Alerts;
  readonly #start: (farEnd: FarEnd, generated: boolean) => Line | undefined;
  readonly #onchange: () => void;

  constructor(
    lines: Lines, names: Names, alerts: Alerts, start: (farEnd: FarEnd, generated: boolean) => Line | undefined, onchange: () => void) {
    this.#lines = lines;
    this.#names = names;
    this.#alerts = alerts;
    this.#start = start;
    this.#onchange = onchange;
  }

  /** The far end calls the person. This page leaves when that person has answered. */
  async transfer(address: string): Promise<void> {
    const line = this.#lines.shown;
    if (!line?.features || line.transfersTo !== undefined || !line.isTalking || !await this.#lines.holdShown()) return;
    line.transfersTo = this.#names.of(address);
    this.#redraw();
    try {
      await line.features.transfer(address);
      line.outcome = 'transferred';
      line.flow?.hangUp();
    } catch (thrown) {
      line.transfersTo = undefined;
      // The far end may have hung up instead.
      if (line.isOver) return;
      await this.#lines.hold(line, false);
      this.#alerts.show(problemOf(thrown));
      this.#redraw();
    }
  }

  /** The far end transfers this page to another person. The former call stays on hold until the new one is answered. */
  async follow(line: Line, referral: Referral): Promise<void> {
    const { target } = referral;
    const canFollow = target !== undefined && line === this.#lines.shown && !this.#lines.other && !this.#lines.isChanging;
    // The microphone stays closed to the far end even if it resumes meanwhile.
    if (!canFollow || !await this.#lines.holdShown()) return referral.reject();
    const name = this.#names.of(target);
    line.transferredTo = name;
    this.#lines.setAside();
    if (!this.#start({ kind: 'person', address: target, name, isDemo: false, referral }, line.generated)) referral.reject();
  }

  /** The person that the far end named did not answer. After the far end has resumed, because two re-INVITEs at once collide (491). */
  resumeAfter(line: Line): void {
    if (line !== this.#lines.shown || line.transferredTo === undefined || line.held.there) return;
    line.transferredTo = undefined;
    void this.#lines.hold(line, false);
  }

  #redraw(): void {
    this.#lines.redrawStatus();
    this.#onchange();
  }
}
