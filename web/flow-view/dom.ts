import { texts } from '../shared/texts/language.ts';

// Makes elements without markup, so a text from a span cannot become an element.

/** `class`, `data-…`, `aria-…` and `role` become attributes, `on…` listeners, and other properties are set. */
export function el<T extends keyof HTMLElementTagNameMap>(
  tag: T, properties: Record<string, unknown> = {}, ...children: (Node | string | undefined | false)[]): HTMLElementTagNameMap[T] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on') && typeof value === 'function') made.addEventListener(name.slice(2), value as EventListener);
    else if (/^(class$|data-|aria-|role$|for$|href$|list$|colspan$)/.test(name)) made.setAttribute(name, String(value));
    else Reflect.set(made, name, value);
  }
  made.append(...children.filter(child => child !== undefined && child !== false));
  return made;
}

export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

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
