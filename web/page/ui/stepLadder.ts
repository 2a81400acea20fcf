import { el } from '../../shared/dom.ts';
import { figure, stepNumbers } from '../../shared/ladder/figure.ts';
import { formats, texts } from '../../shared/texts/language.ts';
import type { StepState } from '../call/callView.ts';

const lanes = ['user', 'wic', 'wwsf', 'waf', 'turn'] as const;
type Lane = typeof lanes[number];

interface Row { item: HTMLLIElement; state: HTMLElement; took: HTMLElement; tenths: number }

/** The eight steps of figure X.5.3.2-1 as a ladder: a lane for each part, an arrow for each step, and its duration. */
export class StepLadder {
  readonly #rows: Row[];

  constructor(list: HTMLElement, laneNames: HTMLElement) {
    laneNames.append(...lanes.map(id => {
      const { name, role } = texts.steps.lanes[id];
      return el('span', { class: 'lane-name' }, name, el('small', {}, role));
    }));
    this.#rows = stepNumbers.map(number => {
      const step = texts.steps[number];
      const [from, to] = [lanes.indexOf(figure[number].from as Lane), lanes.indexOf(figure[number].to as Lane)];
      const state = el('span', { class: 'visually-hidden' });
      const took = el('span', { class: 'took' });
      const item = el('li', { class: 'step', id: `step-${number}`, 'data-testid': `step-${number}` },
        el('span', { class: 'badge' }, number),
        el('div', { class: 'what' },
          el('strong', { class: 'title' }, step.title), state,
          el('span', { class: 'route' }, route(from, to)), el('span', { class: 'note' }, step.text)),
        drawing(from, to), took);
      return { item, state, took, tenths: 0 };
    });
    list.append(...this.#rows.map(row => row.item));
    this.reset();
  }

  reset(): void {
    this.#rows.forEach((_, index) => this.set(index + 1, 'pending'));
  }

  /** How the times of the steps, and the time until media flows, add up to the time since the click. */
  sum(sinceClick: number): string {
    const [total, steps] = [tenthsOf(sinceClick), this.#rows.reduce((sum, row) => sum + row.tenths, 0)];
    return texts.labels.total(formats.tenths(total), formats.tenths(steps), formats.tenths(total - steps));
  }

  set(number: number, state: StepState, took?: number): void {
    const row = this.#rows[number - 1];
    if (!row) return;
    row.item.dataset.state = state;
    row.state.textContent = ` (${texts.steps.states[state]}) `;
    row.tenths = tenthsOf(took ?? 0);
    row.took.textContent = took !== undefined ? formats.tenths(row.tenths) : { done: '✓', failed: texts.steps.failed, skipped: texts.steps.skipped, pending: '', active: '' }[state];
    row.took.title = took === undefined && state === 'done' ? texts.steps.notReported : '';
  }
}

/** Tenths of a millisecond, as the page shows them: so the numbers on the screen add up. */
function tenthsOf(took: number): number {
  return Math.round(took * 10);
}

function route(from: number, to: number): string {
  const name = (lane: number) => texts.steps.lanes[lanes[lane]!].name;
  return from === to ? name(from) : `${name(from)} → ${name(to)}`;
}

/** An arrow between the middles of two lanes, or a dot in one. */
function drawing(from: number, to: number): HTMLElement {
  const arrow = el('span', { class: from === to ? 'dot' : to > from ? 'arrow right' : 'arrow left' });
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  arrow.style.gridColumn = `${first + 1} / ${last + 2}`;
  // Half a lane at each side: the arrow's grid area covers whole lanes.
  if (from !== to) arrow.style.marginInline = `${50 / (last - first + 1)}%`;
  return el('div', { class: 'lanes', 'aria-hidden': 'true' }, arrow);
}
