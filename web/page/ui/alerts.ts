import { el, find } from '../../shared/dom.ts';
import type { Problem } from '../call/problem.ts';
import { texts } from '../../shared/texts/language.ts';
import { problemText } from '../../shared/texts/problemText.ts';

export interface AlertActions {
  retry?: () => void;
  useTone?: () => void;
}

/** Shows a problem: a title, a sentence, and what the user can do. */
export class Alerts {
  readonly #text = find('alert');
  readonly #retry = find<HTMLButtonElement>('retry');
  readonly #tone = find<HTMLButtonElement>('use-tone');
  #actions: AlertActions = {};
  #countdown: ReturnType<typeof setInterval> | undefined;

  constructor() {
    this.#retry.addEventListener('click', () => this.#act(this.#actions.retry));
    this.#tone.addEventListener('click', () => this.#act(this.#actions.useTone));
    find('dismiss').addEventListener('click', () => this.clear());
  }

  show(problem: Problem, actions: AlertActions = {}, interrupted = false): void {
    const { title, text } = problemText(problem);
    this.#write(interrupted ? texts.status.interrupted : title, text);
    this.#actions = actions;
    this.#retry.hidden = !actions.retry;
    this.#tone.hidden = !actions.useTone || !problem.isOfMedia;
    this.#holdBack(problem.code === 'rate_limited' ? problem.retryAfter ?? 0 : 0);
    if (actions.retry && (document.activeElement === null || document.activeElement === document.body)) this.#retry.focus();
  }

  clear(): void {
    if (!this.#text.hasChildNodes()) return;
    this.#text.replaceChildren();
    this.#retry.hidden = this.#tone.hidden = true;
    this.#holdBack(0);
  }

  #write(title: string, text: string): void {
    // Writing the same text again would make a screen reader repeat it.
    if (this.#text.dataset.shown === title + text && this.#text.hasChildNodes()) return;
    this.#text.dataset.shown = title + text;
    this.#text.replaceChildren(el('strong', {}, title), ' ', el('p', {}, text));
  }

  #act(action: (() => void) | undefined): void {
    this.clear();
    action?.();
  }

  /** A server that limits the rate gives a time to wait. The button counts it down. */
  #holdBack(seconds: number): void {
    clearInterval(this.#countdown);
    const until = performance.now() + seconds * 1000;
    const tick = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      this.#retry.disabled = left > 0;
      this.#retry.textContent = left > 0 ? texts.labels.tryAgainIn(left) : texts.labels.tryAgain;
      if (left <= 0) clearInterval(this.#countdown);
    };
    this.#countdown = setInterval(tick, 250);
    tick();
  }
}
