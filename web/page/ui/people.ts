import { shortName } from '../ims/addresses.ts';
import { el, find } from '../../shared/dom.ts';
import type { Registration } from '../ims/registration.ts';
import { texts } from '../../shared/texts/language.ts';

interface Entry { impu: string; display_name: string | null }

const every = 4_000;
const limit = 5_000;

/** The people online, from the eP-CSCF's directory, with a button to call each. */
export class People {
  readonly #registration: Registration;
  readonly #call: (impu: string, name: string) => void;
  readonly #list = find<HTMLUListElement>('people');
  #shown = '';
  #isAsking = false;
  #notBefore = 0;

  constructor(registration: Registration, call: (impu: string, name: string) => void) {
    this.#registration = registration;
    this.#call = call;
    setInterval(() => void this.refresh(), every);
    document.addEventListener('visibilitychange', () => void this.refresh());
  }

  async refresh(): Promise<void> {
    if (this.#registration.state === 'offline') return this.#show([]);
    if (document.hidden || this.#isAsking || Date.now() < this.#notBefore) return;
    this.#isAsking = true;
    try {
      const response = await this.#registration.fetch('/api/directory', AbortSignal.timeout(limit));
      if (response?.status === 429) this.#notBefore = Date.now() + 1000 * (Number(response.headers.get('Retry-After')) || 4);
      if (response?.ok) this.#show(((await response.json()) as { online: Entry[] }).online);
    } catch {
      // The list stays as it was. The page shows elsewhere whether it is online.
    } finally {
      this.#isAsking = false;
    }
  }

  #show(online: Entry[]): void {
    const state = JSON.stringify(online);
    if (state === this.#shown) return;
    this.#shown = state;
    find('people-none').hidden = online.length > 0;
    const focused = (document.activeElement as HTMLElement | null)?.dataset.impu;
    this.#list.replaceChildren(...online.map(({ impu, display_name }) => this.#row(impu, display_name ?? shortName(impu))));
    if (focused) [...this.#list.querySelectorAll('button')].find(button => button.dataset.impu === focused)?.focus();
  }

  #row(impu: string, name: string): HTMLLIElement {
    const call = () => this.#call(impu, name);
    return el('li', {},
      el('span', { class: 'person' }, name, el('small', {}, impu.replace(/^sip:/, ''))),
      el('button', {
        type: 'button', class: 'small', 'data-impu': impu, 'data-testid': impu, 'aria-label': texts.labels.callPerson(name), onclick: call,
      }, texts.labels.call));
  }
}
