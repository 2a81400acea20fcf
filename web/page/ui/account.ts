import type { Alerts } from './alerts.ts';
import type { Api } from '../call/api.ts';
import { addPasskey } from '../call/passkeys.ts';
import { problemOf } from '../call/problem.ts';
import { el, find } from '../../shared/dom.ts';
import { formats, texts } from '../../shared/texts/language.ts';

export interface AccountEvents {
  /** A change may have begun another session. */
  onchange: () => Promise<void>;
  /** The user has to log in again. Then the change goes on. */
  onlogin: (goOn: () => void) => void;
}

/** What a user can change about the account: passkeys, the password, and sessions in other browsers. */
export class Account {
  readonly #api: Api;
  readonly #alerts: Alerts;
  readonly #events: AccountEvents;
  readonly #details = find<HTMLDetailsElement>('account');
  readonly #current = find<HTMLInputElement>('current-password');
  readonly #next = find<HTMLInputElement>('new-password');

  constructor(api: Api, alerts: Alerts, events: AccountEvents) {
    this.#api = api;
    this.#alerts = alerts;
    this.#events = events;
    this.#details.addEventListener('toggle', () => { if (this.#details.open) void this.#load(); });
    find('add-passkey').addEventListener('click', () => void this.#change(() => addPasskey(api), texts.labels.passkeyAdded));
    find('end-sessions').addEventListener('click', () => void this.#change(() => api.endSessions(), texts.labels.sessionsEnded));
    find('password-form').addEventListener('submit', event => {
      event.preventDefault();
      void this.#change(() => this.#changePassword(), texts.labels.passwordChanged);
    });
  }

  /** Removes what belongs to the user who has left. */
  clear(): void {
    this.#details.open = false;
    this.#current.value = this.#next.value = '';
    this.#show('');
    for (const list of ['passkeys', 'sessions']) find(list).replaceChildren();
  }

  async #changePassword(): Promise<void> {
    await this.#api.changePassword(this.#current.value, this.#next.value);
    this.#current.value = this.#next.value = '';
  }

  async #change(change: () => Promise<void>, done: string): Promise<void> {
    this.#setBusy(true);
    this.#alerts.clear();
    this.#show('');
    try {
      await change();
      await this.#events.onchange();
      this.#show(done);
      await this.#load();
    } catch (thrown) {
      const problem = problemOf(thrown);
      this.#alerts.show(problem);
      find('alert-box').scrollIntoView({ block: 'nearest' });
      if (problem.code === 'log_in_again') this.#events.onlogin(() => void this.#change(change, done));
    } finally {
      this.#setBusy(false);
    }
  }

  async #load(): Promise<void> {
    try {
      const [passkeys, sessions] = await Promise.all([this.#api.passkeys(), this.#api.sessions()]);
      find('passkeys').replaceChildren(...passkeys.map(({ id, created_at }) => this.#row(
        texts.labels.addedAt(when(created_at)), texts.labels.remove, () => this.#api.removePasskey(id), texts.labels.passkeyRemoved)));
      find('sessions').replaceChildren(...sessions.map(({ id, began_at, used_at }) => this.#row(
        texts.labels.session(when(began_at), when(used_at)), texts.labels.end, () => this.#api.endSessions(id), texts.labels.sessionsEnded)));
      find('sessions-none').hidden = sessions.length > 0;
      find('end-sessions').hidden = sessions.length === 0;
    } catch (thrown) {
      this.#alerts.show(problemOf(thrown), { retry: () => void this.#load() });
    }
  }

  #row(text: string, action: string, change: () => Promise<void>, done: string): HTMLLIElement {
    const act = () => {
      // The row goes with its button.
      this.#details.querySelector('summary')!.focus();
      void this.#change(change, done);
    };
    return el('li', {}, el('span', {}, text), el('button', { type: 'button', class: 'small', 'aria-label': `${action}: ${text}`, onclick: act }, action));
  }

  #show(done: string): void {
    find('account-changed').textContent = done;
  }

  #setBusy(busy: boolean): void {
    for (const button of this.#details.querySelectorAll('button')) button.disabled = busy;
  }
}

const when = (time: string) => formats.dateTime(Date.parse(time));
