import type { StepState } from './callFlow.ts';
import { duration } from './schedule.ts';
import { lanes, notReported, stepStates, steps } from './texts.ts';

interface Row { item: HTMLLIElement; state: HTMLElement; took: HTMLElement }

/** The eight steps of figure X.5.3.2-1 as a ladder: a lane for each part, an arrow for each step, the time that it took. */
export class Ladder {
  readonly #rows: Row[];

  constructor(list: HTMLElement, laneNames: HTMLElement) {
    laneNames.append(...lanes.map(({ name, role }) => {
      const lane = element('span', 'lane-name', name);
      lane.append(element('small', '', role));
      return lane;
    }));
    this.#rows = steps.map((step, index) => {
      const item = element('li', 'step');
      item.id = item.dataset.testid = `step-${index + 1}`;
      const state = element('span', 'visually-hidden');
      const took = element('span', 'took');
      const what = element('div', 'what');
      what.append(element('strong', 'title', step.title), state, element('span', 'route', route(step.from, step.to)), element('span', 'note', step.text));
      item.append(element('span', 'badge', String(index + 1)), what, drawing(step.from, step.to), took);
      return { item, state, took };
    });
    list.append(...this.#rows.map(row => row.item));
    this.reset();
  }

  reset(): void {
    this.#rows.forEach((_, index) => this.set(index + 1, 'pending'));
  }

  set(number: number, state: StepState, took?: number): void {
    const row = this.#rows[number - 1];
    if (!row) return;
    row.item.dataset.state = state;
    row.state.textContent = ` (${stepStates[state]}) `;
    row.took.textContent = took !== undefined ? duration(took) : state === 'done' ? '✓' : '';
    row.took.title = took === undefined && state === 'done' ? notReported : '';
  }
}

function route(from: number, to: number): string {
  return from === to ? lanes[from]!.name : `${lanes[from]!.name} → ${lanes[to]!.name}`;
}

/** An arrow between the middles of two lanes, or a dot in one. */
function drawing(from: number, to: number): HTMLElement {
  const cell = element('div', 'lanes');
  cell.ariaHidden = 'true';
  const arrow = element('span', from === to ? 'dot' : to > from ? 'arrow right' : 'arrow left');
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  arrow.style.gridColumn = `${first + 1} / ${last + 2}`;
  // Half a lane at each side: the arrow's grid area covers whole lanes.
  if (from !== to) arrow.style.marginInline = `${50 / (last - first + 1)}%`;
  cell.append(arrow);
  return cell;
}

function element<K extends keyof HTMLElementTagNameMap>(tag: K, className: string, text = ''): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
