import { shortName } from '../ims/addresses.ts';
import { find } from './dom.ts';
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
  readonly #names = new Map<string, string>();
  #shown = '';
  #isAsking = false;

  constructor(registration: Registration, call: (impu: string, name: string) => void) {
    this.#registration = registration;
    this.#call = call;
    setInterval(() => void this.refresh(), every);
    document.addEventListener('visibilitychange', () => void this.refresh());
  }

  /** The name of a person who is or was online. */
  nameOf(impu: string): string {
    return this.#names.get(impu) ?? shortName(impu);
  }

  async refresh(): Promise<void> {
    if (this.#registration.state === 'offline') return this.#show([]);
    if (document.hidden || this.#isAsking) return;
    this.#isAsking = true;
    try {
      const response = await this.#registration.fetch('/api/directory', AbortSignal.timeout(limit));
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
    this.#list.replaceChildren(...online.map(({ impu, display_name }) => {
      const name = display_name ?? shortName(impu);
      this.#names.set(impu, name);
      return this.#row(impu, name);
    }));
    if (focused) [...this.#list.querySelectorAll('button')].find(button => button.dataset.impu === focused)?.focus();
  }

  #row(impu: string, name: string): HTMLLIElement {
    const row = document.createElement('li');
    const who = document.createElement('span');
    const address = document.createElement('small');
    const button = document.createElement('button');
    who.className = 'person';
    who.textContent = name;
    address.textContent = impu.replace(/^sip:/, '');
    who.append(address);
    button.type = 'button';
    button.className = 'small';
    button.dataset.impu = button.dataset.testid = impu;
    button.textContent = texts.labels.call;
    button.ariaLabel = texts.labels.callPerson(name);
    button.addEventListener('click', () => this.#call(impu, name));
    row.append(who, button);
    return row;
  }
}
