import { el } from '../shared/dom.ts';
import { texts } from '../shared/texts/language.ts';

export function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Offers a file that the page made. */
export function download(name: string, content: string, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** A button that copies and confirms it. */
export function copyButton(label: string, content: () => string, testId?: string): HTMLButtonElement {
  const button = el('button', {
    type: 'button', class: 'small', 'data-testid': testId, onclick: async () => {
      await navigator.clipboard.writeText(content());
      button.textContent = texts.flow.copied;
      setTimeout(() => { button.textContent = label; }, 1500);
    },
  }, label);
  return button;
}

/** A table of names and values. */
export function pairsTable(pairs: Record<string, unknown>): HTMLElement {
  return el('dl', { class: 'pairs' }, ...Object.entries(pairs).sort(([one], [other]) => one.localeCompare(other))
    .map(([key, value]) => el('div', {}, el('dt', {}, key), el('dd', {}, valueText(value)))));
}

/** The colour class of a service, the same on all pages. */
export function serviceColour(service: string): string {
  const known = ['wic', 'wic-web', 'wwsf', 'waf', 'ep-cscf', 'turn', 'redis', 'peer'].indexOf(service);
  if (known >= 0) return `service-${known}`;
  let sum = 0;
  for (const character of service) sum = (sum * 31 + character.charCodeAt(0)) % 8;
  return `service-${sum}`;
}

export function serviceTag(service: string): HTMLElement {
  return el('span', { class: `service ${serviceColour(service)}` }, service);
}
