import { el, find } from '../../shared/dom.ts';
import { clock } from '../../shared/texts/formats.ts';
import { formats, texts } from '../../shared/texts/language.ts';
import { problemText } from '../../shared/texts/problemText.ts';
import type { CallHistory, PastCall } from '../phone/history.ts';

/** The recent calls: who, when, how long, and how each ended, with a button to call again. */
export class HistoryList {
  readonly #history: CallHistory;
  readonly #callAgain: (call: PastCall) => void;

  constructor(history: CallHistory, callAgain: (call: PastCall) => void) {
    this.#history = history;
    this.#callAgain = callAgain;
    find('clear-calls').addEventListener('click', () => {
      this.#history.empty();
      this.render();
      find('recent-calls').querySelector('summary')!.focus();
    });
    // Another tab has made a call.
    addEventListener('storage', () => this.render());
  }

  render(): void {
    const { calls } = this.#history;
    find('recent-calls').hidden = calls.length === 0;
    find('calls').replaceChildren(...calls.map(call => this.#row(call)));
  }

  #row(call: PastCall): HTMLLIElement {
    const name = nameOf(call);
    const canCall = call.kind !== 'person' || call.impu !== undefined;
    return el('li', { 'data-outcome': call.outcome, 'data-direction': call.direction },
      el('span', { class: 'person' }, name, el('small', {}, describe(call))),
      canCall && el('button', {
        type: 'button', class: 'small', 'aria-label': texts.labels.callBack(name), onclick: () => this.#callAgain(call),
      }, texts.labels.call));
  }
}

function nameOf(call: PastCall): string {
  return call.kind === 'echo' ? texts.calls.echo : call.name;
}

function describe(call: PastCall): string {
  const direction = call.direction === 'in' ? texts.calls.incoming : texts.calls.outgoing;
  return [
    call.outcome === 'missed' || call.kind === 'echo' ? '' : direction,
    call.video ? texts.calls.withVideo : '', outcomeOf(call), when(call.at),
  ].filter(part => part !== '').join(' · ');
}

function outcomeOf({ outcome, seconds, kind }: PastCall): string {
  const time = clock(seconds);
  if (outcome === 'answered') return kind === 'echo' ? texts.calls.connected(time) : texts.calls.answered(time);
  if (outcome === 'transferred') return texts.calls.transferred(time);
  if (isNotAnswered(outcome)) return texts.calls[outcome];
  const reason = problemText({ code: outcome }).title;
  return seconds > 0 ? `${reason} (${time})` : reason;
}

function isNotAnswered(outcome: string): outcome is 'missed' | 'declined' | 'cancelled' {
  return ['missed', 'declined', 'cancelled'].includes(outcome);
}

function when(at: number): string {
  const isToday = new Date(at).toDateString() === new Date().toDateString();
  return isToday ? formats.time(at) : `${formats.day(at)}, ${formats.time(at)}`;
}
