import { find } from './dom.ts';
import type { Problem } from './problem.ts';
import { interruptedBy, isMediaProblem, labels, textOf } from './texts.ts';

export interface AlertActions {
  retry?: () => void;
  useTone?: () => void;
}

/** The one place for problems: a title, a sentence, and what can be done about it. */
export class Alerts {
  readonly #box = find('alert-box');
  readonly #text = find('alert');
  readonly #retry = find<HTMLButtonElement>('retry');
  readonly #tone = find<HTMLButtonElement>('use-tone');
  #actions: AlertActions = {};
  #countdown: ReturnType<typeof setInterval> | undefined;

  constructor() {
    this.#retry.addEventListener('click', () => this.#act(this.#actions.retry));
    this.#tone.addEventListener('click', () => this.#act(this.#actions.useTone));
  }

  show(problem: Problem, actions: AlertActions = {}, interrupted = false): void {
    const { title, text } = interrupted ? interruptedBy(problem) : textOf(problem);
    this.#write(title, text);
    this.#box.dataset.kind = 'problem';
    this.#actions = actions;
    this.#retry.hidden = !actions.retry;
    this.#tone.hidden = !actions.useTone || !isMediaProblem(problem);
    this.#holdBack(problem.code === 'rate_limited' ? problem.retryAfter ?? 0 : 0);
    if (actions.retry && (document.activeElement === null || document.activeElement === document.body)) this.#retry.focus();
  }

  clear(): void {
    if (!this.#text.hasChildNodes()) return;
    this.#text.replaceChildren();
    this.#retry.hidden = this.#tone.hidden = true;
    this.#box.dataset.kind = '';
    this.#holdBack(0);
  }

  #write(title: string, text: string): void {
    // Saying the same again would make a screen reader repeat it.
    if (this.#text.dataset.said === title + text && this.#text.hasChildNodes()) return;
    this.#text.dataset.said = title + text;
    const strong = document.createElement('strong');
    strong.textContent = title;
    const sentence = document.createElement('p');
    sentence.textContent = text;
    this.#text.replaceChildren(strong, ' ', sentence);
  }

  #act(action: (() => void) | undefined): void {
    this.clear();
    action?.();
  }

  /** A server that limits the rate says how long to wait; the button counts down until then. */
  #holdBack(seconds: number): void {
    clearInterval(this.#countdown);
    const until = performance.now() + seconds * 1000;
    const tick = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      this.#retry.disabled = left > 0;
      this.#retry.textContent = left > 0 ? labels.tryAgainIn(left) : labels.tryAgain;
      if (left <= 0) clearInterval(this.#countdown);
    };
    this.#countdown = setInterval(tick, 250);
    tick();
  }
}
