import { el } from '../../shared/dom.ts';
import { clock } from '../../shared/texts/formats.ts';
import { formats, texts } from '../../shared/texts/language.ts';
import { problemText } from '../../shared/texts/problemText.ts';
import { problemOf } from '../call/problem.ts';
import type { Health, StageMap } from './map.ts';
import type { Story } from './story.ts';
import { type Place, placeWords, places } from './words.ts';

/** What the web service offers on a stage; only in Development. */
export interface StageOffer {
  cheats: Cheat[];
  /** Parts that this machine may break; empty elsewhere. */
  parts: { name: string; state: Health; restarts_in?: number | null }[];
  can_open: boolean;
}
export const cheats = ['bit', 'server', 'end', 'key'] as const;
export type Cheat = typeof cheats[number];

/** What the TURN server said to an attempt of our TURN client. */
export interface Attempt {
  kind: 'honest' | 'cheat' | 'relabelled';
  code: number;
  reason: string;
  took_ms: number;
  /** Seconds since the token was made. */
  age_s: number;
}
export interface CheatAnswer { cheat: Cheat; attempts: Attempt[]; octets: number; kid: string; lifetime: number; changed_bit?: number | null }

/** A token as the TURN server has opened it. */
export interface OpenedToken { kid: string; key_print: string; key_octets: number; issued_at: string; lifetime: number; left: number }

export interface StageApi {
  stage(): Promise<StageOffer | undefined>;
  cheat(cheat: Cheat): Promise<CheatAnswer>;
  openEnvelope(relay: string): Promise<OpenedToken>;
  breakPart(name: string): Promise<void>;
}

interface Trial { cheat: Cheat; since: number; answer?: CheatAnswer; problem?: string }
type Panel = 'envelope' | 'cheat' | 'break';
const pollInterval = 1_000;
const calmMotion = matchMedia('(prefers-reduced-motion: reduce)');
const wait = (milliseconds: number) => new Promise(resolve => setTimeout(resolve, milliseconds));

/** Beside the picture: opens the token at each place, tries to cheat with it, and breaks parts. */
export class Workbench {
  readonly drawer = el('aside', { class: 'drawer', 'data-testid': 'drawer', hidden: true, tabIndex: 0, 'aria-label': texts.stage.tools });
  readonly buttons = el('div', { class: 'tools', role: 'group', 'aria-label': texts.stage.tools });
  readonly #api: StageApi;
  readonly #map: StageMap;
  readonly #story: Story;
  #offer: StageOffer | undefined;
  #panel: Panel | undefined;
  #place: Place = 'wic';
  #opened: OpenedToken | string | undefined;
  #opens = false;
  #cheat: Trial | undefined;
  #broken = new Map<string, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOpen = false;
  #shown = '';

  constructor(api: StageApi, map: StageMap, story: Story) {
    this.#api = api;
    this.#map = map;
    this.#story = story;
    this.drawer.addEventListener('click', event => {
      const button = event.target instanceof Element ? event.target.closest<HTMLElement>('button[data-do]') : null;
      if (!button) return;
      const { do: action, value } = button.dataset;
      if (action === 'place') this.showToken(value as Place);
      if (action === 'cheat') void this.#tryTo(value as Cheat);
      if (action === 'break') void this.#break(value!);
      if (action === 'close') this.#choose(undefined);
    });
    story.addEventListener('change', () => {
      this.#opened = undefined;
      if (this.#panel === 'envelope') this.render();
    });
  }

  start(): void {
    this.#isOpen = true;
    void this.#poll();
    this.render();
  }

  stop(): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#map.clearAttempt();
  }

  /** Shows the token as it is at a place. */
  showToken(place: Place): void {
    this.#place = place;
    if (this.#panel !== 'envelope') this.#choose('envelope');
    else this.render();
    if (place === 'turn' && this.#opened === undefined) void this.#openEnvelope();
  }

  #choose(panel: Panel | undefined): void {
    const before = this.#panel;
    this.#panel = panel;
    if (panel !== 'cheat') this.#map.clearAttempt();
    if (panel === undefined && before) this.buttons.querySelector<HTMLElement>(`[data-panel="${before}"]`)?.focus();
    this.render();
    // On a narrow screen it is below the map.
    if (panel !== undefined && panel !== before) this.drawer.scrollIntoView({ block: 'nearest', behavior: calmMotion.matches ? 'instant' : 'smooth' });
  }

  render(): void {
    this.#shown = '';
    this.#update();
  }

  /** Draws again only what changed, so that focus and reading position stay. */
  #update(): void {
    const panels: Panel[] = ['envelope', ...(this.#offer?.cheats.length ? ['cheat' as const] : []), ...(this.#offer?.parts.length ? ['break' as const] : [])];
    const buttonKey = panels.join();
    if (this.buttons.dataset.panels !== buttonKey) {
      this.buttons.dataset.panels = buttonKey;
      this.buttons.replaceChildren(...panels.map(panel => el('button', {
        type: 'button', 'data-panel': panel, 'data-testid': `tool-${panel}`, onclick: () => this.#choose(this.#panel === panel ? undefined : panel),
      }, texts.stage.panels[panel])));
    }
    for (const button of this.buttons.querySelectorAll<HTMLElement>('button')) button.ariaExpanded = String(button.dataset.panel === this.#panel);
    this.#map.select(this.#panel === 'envelope' ? this.#place : undefined);
    this.drawer.hidden = this.#panel === undefined;
    if (this.#panel === undefined) return;

    const content = { envelope: () => this.#envelope(), cheat: () => this.#cheating(), break: () => this.#breaking() }[this.#panel]();
    const whole = el('div', {}, ...content);
    if (whole.innerHTML === this.#shown) return;
    this.#shown = whole.innerHTML;
    const focused = document.activeElement instanceof HTMLElement && this.drawer.contains(document.activeElement) ? document.activeElement.dataset : undefined;
    this.drawer.replaceChildren(
      el('div', { class: 'drawer-head' }, el('h2', {}, texts.stage.panels[this.#panel]),
        el('button', { type: 'button', class: 'quiet small', 'data-do': 'close', 'aria-label': texts.stage.close, title: texts.stage.close }, '✕')),
      ...whole.children);
    if (focused?.do) this.drawer.querySelector<HTMLElement>(`[data-do="${focused.do}"]${focused.value ? `[data-value="${focused.value}"]` : ''}`)?.focus();
  }

  // --- The state of the parts

  async #poll(): Promise<void> {
    clearTimeout(this.#timer);
    // Without an answer the parts keep their state. The page says by itself that the service is gone.
    this.#offer = await this.#api.stage().catch(() => this.#offer);
    if (!this.#isOpen) return;
    const parts = this.#offer?.parts ?? [];
    if (this.#panel === 'envelope' && this.#place === 'turn' && this.#opened === undefined) void this.#openEnvelope();
    this.#map.setHealth(new Map(parts.map(part => [part.name as Place, part.state])));
    this.#update();
    if (parts.length > 0) this.#timer = setTimeout(() => void this.#poll(), pollInterval);
  }

  // --- Open the envelope

  async #openEnvelope(): Promise<void> {
    const { relay } = this.#story;
    if (!relay || !this.#offer?.can_open || this.#opens) return;
    this.#opens = true;
    const opened = await this.#api.openEnvelope(relay).catch((thrown: unknown) => problemText(problemOf(thrown)).text);
    this.#opens = false;
    if (relay !== this.#story.relay) return;
    this.#opened = opened;
    if (this.#panel === 'envelope') this.render();
  }

  #envelope(): HTMLElement[] {
    const { token } = this.#story;
    const place = this.#place;
    const chips = el('div', { class: 'chips', role: 'group', 'aria-label': texts.stage.places }, ...places.map(each =>
      el('button', { type: 'button', class: 'chip', 'data-do': 'place', 'data-value': each, 'aria-pressed': String(each === place) }, placeWords(each).name)));
    if (!token) return [chips, el('p', { class: 'drawer-text' }, texts.stage.noToken)];
    const isOpen = place === 'turn' && typeof this.#opened === 'object';
    const facts: [string, string][] = [];
    if (place === 'wic' || place === 'wwsf' || place === 'waf')
      facts.push([texts.stage.facts.length, texts.stage.octets(formats.count(token.octets))], [texts.stage.facts.kid, token.kid], [texts.stage.facts.lifetime, clock(token.lifetime)]);
    if (place === 'wic') facts.push([texts.stage.facts.keyBeside, `${token.keyPrint}…`]);
    const opened = this.#opened;
    if (place === 'turn' && typeof opened === 'object') {
      facts.push(
        [texts.stage.facts.kid, opened.kid], [texts.stage.facts.keyInside, `${opened.key_print}…`], [texts.stage.facts.keyLength, texts.stage.octets(formats.count(opened.key_octets))],
        [texts.stage.facts.issued, formats.clockTime(Date.parse(opened.issued_at))], [texts.stage.facts.lifetime, clock(opened.lifetime)], [texts.stage.facts.left, clock(opened.left)]);
    }
    const isSame = typeof opened === 'object' && opened.key_print === token.keyPrint;
    const state = place === 'turn' ? isOpen ? 'open' : 'sealed' : place === 'wic' || place === 'wwsf' ? 'sealed' : place === 'waf' ? 'sealing' : 'never';
    return [
      chips,
      el('p', { class: `seal-state ${state}`, 'data-testid': 'seal-state' }, texts.stage.seal[state]),
      el('p', { class: 'drawer-text' }, texts.stage.at[place]),
      el('dl', { class: 'facts', 'data-testid': 'facts' }, ...facts.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])),
      ...(place === 'turn' && typeof opened === 'string' ? [el('p', { class: 'drawer-text' }, opened)] : []),
      ...(place === 'turn' && opened === undefined && !this.#offer?.can_open ? [el('p', { class: 'drawer-text' }, texts.stage.notOpened)] : []),
      ...(isOpen ? [el('p', { class: isSame ? 'same-key' : 'drawer-text', 'data-testid': 'same-key' }, isSame ? texts.stage.sameKey : texts.stage.otherKey)] : []),
    ];
  }

  // --- Try to cheat

  async #tryTo(cheat: Cheat): Promise<void> {
    if (this.#cheat && !this.#cheat.answer && this.#cheat.problem === undefined) return;
    const attempt: Trial = this.#cheat = { cheat, since: performance.now() };
    const ticking = setInterval(() => this.#update(), 500);
    this.#map.clearAttempt();
    this.render();
    try {
      const answer = await this.#api.cheat(cheat);
      clearInterval(ticking);
      if (!this.#isOpen) return;
      await this.#travel();
      attempt.answer = answer;
      const last = answer.attempts.at(-1);
      if (last) this.#map.showAttempt(1, String(last.code));
    } catch (thrown) {
      this.#map.clearAttempt();
      attempt.problem = problemText(problemOf(thrown)).text;
    } finally {
      clearInterval(ticking);
    }
    this.render();
    this.drawer.querySelector('.outcome')?.scrollIntoView({ block: 'nearest', behavior: calmMotion.matches ? 'instant' : 'smooth' });
  }

  async #travel(): Promise<void> {
    const steps = calmMotion.matches ? 1 : 40;
    for (let step = 0; step < steps && this.#isOpen; step++) {
      this.#map.showAttempt(step / steps);
      await wait(20);
    }
  }

  #cheating(): HTMLElement[] {
    const present = this.#cheat;
    const isBusy = present !== undefined && !present.answer && present.problem === undefined;
    const offered = cheats.filter(cheat => this.#offer?.cheats.includes(cheat));
    return [
      el('p', { class: 'drawer-text' }, texts.stage.cheatHint),
      el('div', { class: 'cheats' }, ...offered.map(cheat => el('button', {
        type: 'button', 'data-do': 'cheat', 'data-value': cheat, 'data-testid': `cheat-${cheat}`, 'aria-disabled': String(isBusy), 'aria-pressed': String(present?.cheat === cheat),
      }, texts.stage.cheats[cheat].button))),
      ...(present ? [this.#outcome(present)] : []),
    ];
  }

  #outcome({ cheat, answer, problem, since }: Trial): HTMLElement {
    const words = texts.stage.cheats[cheat];
    const waits = Math.round((performance.now() - since) / 1000);
    return el('div', { class: 'outcome', role: 'status', 'data-testid': 'outcome', 'data-state': problem !== undefined ? 'problem' : answer ? 'answered' : 'waiting' },
      el('p', { class: 'drawer-text' }, words.does),
      ...(problem === undefined && !answer ? [el('p', { class: 'drawer-text waiting' }, cheat === 'end' ? texts.stage.waitsForEnd(waits) : texts.stage.asking)] : []),
      ...(problem !== undefined ? [el('p', { class: 'drawer-text' }, problem)] : []),
      ...(answer?.attempts ?? []).map(attempt => {
        const isRefused = attempt.code >= 300;
        return el('div', { class: `said ${isRefused ? 'refused' : 'accepted'}`, 'data-testid': `said-${attempt.kind}` },
          el('strong', { class: 'said-code' }, String(attempt.code)),
          el('p', {}, el('span', { class: 'said-what' }, texts.stage.attempts[attempt.kind]),
            el('span', {}, texts.stage.said(attempt.reason, formats.duration(attempt.took_ms), formats.duration(attempt.age_s * 1000)))));
      }),
      ...(answer ? [el('p', { class: 'drawer-text verdict' }, words.because), el('p', { class: 'clause', 'data-testid': 'clause' }, words.clause)] : []));
  }

  // --- Break it

  async #break(name: string): Promise<void> {
    this.#broken.set(name, '');
    try {
      await this.#api.breakPart(name);
    } catch (thrown) {
      this.#broken.set(name, problemText(problemOf(thrown)).text);
    }
    await this.#poll();
    this.render();
  }

  #breaking(): HTMLElement[] {
    return [
      el('p', { class: 'drawer-text' }, texts.stage.breakHint),
      el('ul', { class: 'parts' }, ...(this.#offer?.parts ?? []).map(({ name, state, restarts_in }) => {
        const words = placeWords(name as Place);
        return el('li', { class: 'part', 'data-testid': `part-${name}`, 'data-health': state },
          el('p', {}, el('strong', {}, words.name), el('span', { class: 'part-state' },
            state === 'down' && restarts_in ? texts.stage.restartsIn(Math.ceil(restarts_in)) : texts.stage.health[state])),
          el('button', { type: 'button', class: 'small break', 'data-do': 'break', 'data-value': name, 'data-testid': `break-${name}`, 'aria-disabled': String(state !== 'up') },
            texts.stage.break, el('span', { class: 'visually-hidden' }, ` ${words.name}`)),
          el('p', { class: 'part-effect' }, this.#broken.get(name) || texts.stage.effects[name as keyof typeof texts.stage.effects]));
      })),
    ];
  }
}
