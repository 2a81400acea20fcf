import { el, find } from '../../shared/dom.ts';
import { texts } from '../../shared/texts/language.ts';
import type { OnlinePerson } from '../ims/presence.ts';
import type { Names } from '../phone/names.ts';

/** The people online, with a button to call each. In a call, each can take over the call. */
export class People {
  readonly #names: Names;
  readonly #call: (impu: string) => void;
  readonly #transfer: (impu: string) => void;
  #online: OnlinePerson[] = [];
  #busyWith: string | undefined;

  constructor(names: Names, call: (impu: string) => void, transfer: (impu: string) => void) {
    this.#names = names;
    this.#call = call;
    this.#transfer = transfer;
  }

  /** Whom the call is with: a call is not transferred to that person. */
  set busyWith(impu: string | undefined) {
    if (this.#busyWith === impu) return;
    this.#busyWith = impu;
    this.#renderTransfer();
  }

  /** Undefined while the page does not know who is online. */
  show(known: OnlinePerson[] | undefined): void {
    const online = known ?? [];
    find('people').dataset.known = String(known !== undefined);
    find('people-none').hidden = known === undefined || online.length > 0;
    if (JSON.stringify(online) === JSON.stringify(this.#online)) return;
    this.#online = online;
    for (const { impu, display_name } of online) this.#names.learn(impu, display_name);
    fill(find('people'), online.map(({ impu }) => this.#row(impu, impu, texts.labels.call, texts.labels.callPerson, this.#call)));
    this.#renderTransfer();
  }

  #renderTransfer(): void {
    const others = this.#online.filter(({ impu }) => impu !== this.#busyWith);
    find('transfer-none').hidden = others.length > 0;
    fill(find('transfer-people'), others.map(({ impu }) =>
      this.#row(impu, `transfer-${impu}`, texts.page.transfer, texts.labels.transferToPerson, this.#transfer)));
  }

  #row(impu: string, id: string, text: string, label: (name: string) => string, act: (impu: string) => void): HTMLLIElement {
    const name = this.#names.of(impu);
    return el('li', {},
      el('span', { class: 'person' }, name, el('small', {}, impu.replace(/^sip:/, ''))),
      el('button', {
        type: 'button', class: 'small', 'data-key': id, 'data-testid': id, 'aria-label': label(name), onclick: () => act(impu),
      }, text));
  }
}

/** Fills a list, and keeps the focus on the button of the same row. */
function fill(list: HTMLElement, rows: HTMLLIElement[]): void {
  const focused = list.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.key : undefined;
  list.replaceChildren(...rows);
  if (focused) [...list.querySelectorAll('button')].find(button => button.dataset.key === focused)?.focus();
}
