import { el, find } from '../../shared/dom.ts';
import { formats, texts } from '../../shared/texts/language.ts';
import { StageMap } from './map.ts';
import { story } from './story.ts';
import { at, type Beat, beatsOf, connecting, shownFor, slowMotion, tenthsOf, timeAt } from './timeline.ts';
import { Workbench, type StageApi } from './workbench.ts';
import { applyWords, chooseWords, onWords, stepWords } from './words.ts';

const calmMotion = matchMedia('(prefers-reduced-motion: reduce)');
/** Buttons of the page that also stand on the stage. */
const controls = ['call', 'demo-line', 'accept', 'accept-video', 'decline', 'retry', 'mute', 'camera-on', 'hang-up'] as const;
const isField = (target: EventTarget | null) => target instanceof Element && target.closest('input, textarea, select, [contenteditable]') !== null;

/** The stage: the picture large, and under it the story of the call on a map. It only shows: the page goes on behind it. */
export class StageMode {
  readonly #map = new StageMap(place => this.#workbench.showToken(place));
  readonly #workbench: Workbench;
  readonly #status = el('p', { class: 'stage-status', 'data-testid': 'stage-status' });
  readonly #far = el('video', { class: 'stage-far', autoplay: true, muted: true, playsInline: true, 'aria-label': texts.page.farPicture });
  readonly #bars = el('div', { class: 'stage-bars', 'aria-hidden': 'true' }, ...Array.from({ length: 24 }, () => el('span')));
  readonly #headline = el('p', { class: 'stage-headline', 'data-testid': 'stage-headline' });
  readonly #badge = el('span', { class: 'beat-number' });
  readonly #title = el('strong', { class: 'beat-title', 'data-testid': 'beat-title' });
  readonly #text = el('span', { class: 'beat-text' });
  readonly #time = el('span', { class: 'beat-time', 'data-testid': 'beat-time' });
  readonly #slow = el('span', { class: 'beat-slow', 'data-testid': 'slow-motion' });
  readonly #play = el('button', { type: 'button', class: 'play', 'data-testid': 'replay', onclick: () => this.#toggle() });
  readonly #slider = el('input', { type: 'range', 'data-testid': 'scrubber', 'aria-label': texts.stage.position });
  readonly #shares = el('ol', { class: 'shares', 'data-testid': 'shares', 'aria-label': texts.stage.shares });
  readonly #total = el('p', { class: 'stage-total', 'data-testid': 'stage-total' });
  readonly #mirrors: { from: HTMLElement; to: HTMLButtonElement }[];
  readonly #dialog: HTMLDialogElement;
  #beats: Beat[] = [];
  #position = 0;
  #playing = false;
  #frame = 0;
  #last = 0;
  #shown = '';

  constructor(api: StageApi) {
    this.#workbench = new Workbench(api, this.#map, story);
    Object.assign(this.#slider, { min: '0', step: '0.02', value: '0' });
    this.#slider.addEventListener('input', () => {
      this.#pause();
      this.#go(Number(this.#slider.value));
    });
    this.#mirrors = controls.map(id => {
      const from = find(id);
      return { from, to: el('button', { type: 'button', class: 'deck-button', 'data-control': id, 'data-testid': `stage-${id}`, onclick: () => from.click() }) };
    });
    const words = el('div', { class: 'words', role: 'group', 'aria-label': texts.stage.words },
      ...(['plain', 'standard'] as const).map(each =>
        el('button', { type: 'button', 'data-words': each, 'data-testid': `stage-words-${each}`, onclick: () => chooseWords(each) }, texts.stage[each])));
    const step = (by: number, label: string, testId: string, mark: string) =>
      el('button', { type: 'button', class: 'step-by', 'data-testid': testId, 'aria-label': label, title: label, onclick: () => this.#stepBy(by) }, mark);
    this.#dialog = el('dialog', { class: 'stage-mode', 'data-testid': 'stage-mode', 'aria-label': texts.stage.heading },
      el('header', { class: 'stage-head' },
        this.#status, words,
        el('button', { type: 'button', class: 'stage-close', 'data-testid': 'stage-close', onclick: () => this.#dialog.close() }, texts.stage.leave, el('kbd', {}, 'Esc'))),
      el('div', { class: 'stage-picture' }, this.#far, this.#bars, this.#headline, el('div', { class: 'deck' }, ...this.#mirrors.map(mirror => mirror.to))),
      el('section', { class: 'stage-story', 'aria-label': texts.stage.story },
        el('div', { class: 'beat', 'data-testid': 'beat' },
          this.#badge, el('p', { class: 'beat-words', 'aria-live': 'polite' }, this.#title, this.#text), el('p', { class: 'beat-times' }, this.#time, this.#slow)),
        this.#map.element),
      el('section', { class: 'stage-controls', 'aria-label': texts.stage.controls },
        el('div', { class: 'player' },
          step(-1, texts.stage.back, 'step-back', '‹'), this.#play, step(1, texts.stage.forward, 'step-forward', '›'), this.#slider,
          this.#workbench.buttons),
        el('div', { class: 'times' }, this.#shares, this.#total)),
      this.#workbench.drawer);
    this.#dialog.addEventListener('keydown', event => this.#key(event));
    this.#dialog.addEventListener('close', () => this.#closed());
    document.body.append(this.#dialog);

    story.addEventListener('change', () => this.#follow());
    story.addEventListener('connected', () => this.#replay());
    onWords(() => {
      this.#map.applyWords(this.#farEnd);
      this.#workbench.render();
      this.#show(true);
    });
    calmMotion.addEventListener('change', () => this.#pause());
    // The page behind shows what is possible; the stage repeats it.
    new MutationObserver(() => this.#mirror()).observe(find('main'), {
      subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['hidden', 'disabled', 'aria-pressed', 'data-phase', 'data-video'],
    });
    addEventListener('keydown', event => {
      if (event.key.toLowerCase() !== 's' || event.ctrlKey || event.metaKey || event.altKey || isField(event.target) || this.#dialog.open) return;
      if (document.querySelector('dialog[open]')) return;
      event.preventDefault();
      this.open();
    });
    applyWords();
  }

  open(): void {
    if (this.#dialog.open) return;
    this.#dialog.showModal();
    this.#mirror();
    this.#workbench.start();
    applyWords();
    this.#follow();
    this.#play.focus();
    if (story.isConnected) this.#replay();
    this.#drawBars();
  }

  get #farEnd(): string {
    const name = find('far-name').textContent ?? '';
    return name === texts.labels.farEnd ? '' : name;
  }

  #closed(): void {
    this.#pause();
    this.#far.srcObject = null;
    this.#workbench.stop();
    find('stage-open').focus();
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isOnButton = event.target instanceof Element && event.target.closest('button, summary') !== null;
    if (event.key.toLowerCase() === 's' && (!isField(event.target) || event.target === this.#slider)) this.#dialog.close();
    else if (event.key === ' ' && !isOnButton) this.#toggle();
    else if (event.key === 'ArrowRight' && !isField(event.target)) this.#stepBy(1);
    else if (event.key === 'ArrowLeft' && !isField(event.target)) this.#stepBy(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // --- What the page shows, again

  #mirror(): void {
    if (!this.#dialog.open) return;
    for (const { from, to } of this.#mirrors) {
      const label = from.textContent?.trim() ?? '';
      if (to.textContent !== label) to.textContent = label;
      to.hidden = from.closest('[hidden]') !== null || label === '';
      to.disabled = from instanceof HTMLButtonElement && from.disabled;
      to.ariaPressed = from.ariaPressed;
    }
    const far = find<HTMLVideoElement>('far-video');
    if (this.#far.srcObject !== far.srcObject) this.#far.srcObject = far.srcObject;
    const { phase = 'idle', video } = find('stage').dataset;
    const isCall = far.srcObject !== null;
    this.#dialog.dataset.picture = isCall ? video === 'true' ? 'video' : 'sound' : 'none';
    const isChanged = this.#dialog.dataset.phase !== phase;
    this.#dialog.dataset.phase = phase;
    const timer = find('call-timer');
    const alert = find('alert').textContent?.trim() ?? '';
    const status = [find('status').textContent, timer.hidden ? '' : timer.textContent].filter(Boolean).join(' · ');
    if (this.#status.textContent !== status) this.#status.textContent = status;
    const lifetime = story.token?.lifetime;
    const headline = alert !== '' ? alert
      : isCall || story.hasBegun ? texts.stage.passLasts(lifetime === undefined ? '–' : texts.stage.minutes(Math.round(lifetime / 6) / 10))
      : texts.stage.placeACall;
    if (this.#headline.textContent !== headline) this.#headline.textContent = headline;
    this.#headline.dataset.alert = String(alert !== '');
    this.#map.applyWords(phase === 'idle' ? '' : this.#farEnd);
    if (isChanged) this.#show(true);
  }

  // The page's own meter has the levels.
  #drawBars(): void {
    if (!this.#dialog.open) return;
    const sources = find('meter').children;
    [...this.#bars.children].forEach((bar, index) => {
      (bar as HTMLElement).style.transform = (sources[index] as HTMLElement | undefined)?.style.transform ?? '';
    });
    if (!calmMotion.matches) requestAnimationFrame(() => this.#drawBars());
  }

  // --- The story

  /** During the set-up the map follows the call. */
  #follow(): void {
    if (!this.#dialog.open) return;
    this.#mirror();
    this.#beats = beatsOf(story.recording);
    this.#slider.max = String(this.#beats.length);
    if (story.isConnected) return this.#show(true);
    this.#pause();
    const failed = story.failedStep;
    const reached = failed ?? this.#beats.findIndex(beat => beat.state === 'active' || beat.state === 'pending') + 1;
    this.#go(story.hasBegun ? Math.max(0, reached === 0 ? this.#beats.length : reached - (failed === undefined ? 0.5 : 0.01)) : 0);
  }

  #replay(): void {
    if (!this.#dialog.open) return;
    this.#beats = beatsOf(story.recording);
    this.#slider.max = String(this.#beats.length);
    if (calmMotion.matches) return this.#go(this.#beats.length);
    this.#go(0);
    this.#start();
  }

  #toggle(): void {
    if (this.#playing) return this.#pause();
    if (!story.hasBegun) return find(find('call').closest('[hidden]') ? 'demo-line' : 'call').click();
    if (this.#position >= this.#beats.length) this.#go(0);
    this.#start();
  }

  #start(): void {
    this.#playing = true;
    this.#last = 0;
    this.#frame = requestAnimationFrame(this.#tick);
    this.#show(true);
  }

  #pause(): void {
    cancelAnimationFrame(this.#frame);
    if (!this.#playing) return;
    this.#playing = false;
    this.#show(true);
  }

  readonly #tick = (now: number): void => {
    const passed = this.#last === 0 ? 0 : now - this.#last;
    // With reduced motion the story goes on in whole steps.
    if (!calmMotion.matches || passed >= shownFor || this.#last === 0) {
      this.#last = now;
      const next = calmMotion.matches ? Math.floor(this.#position) + (passed > 0 ? 1 : 0) : this.#position + Math.min(passed, 100) / shownFor;
      if (next >= this.#beats.length) {
        this.#playing = false;
        return this.#go(this.#beats.length);
      }
      this.#go(next);
    }
    this.#frame = requestAnimationFrame(this.#tick);
  };

  /** To the end of the next step, or of the one before. */
  #stepBy(by: number): void {
    this.#pause();
    this.#go(by > 0 ? Math.floor(this.#position) + 1 : Math.max(0, Math.ceil(this.#position) - 1));
  }

  #go(position: number): void {
    this.#position = Math.min(Math.max(position, 0), this.#beats.length);
    if (Number(this.#slider.value) !== this.#position) this.#slider.value = String(this.#position);
    this.#show();
  }

  #show(always = false): void {
    const count = this.#beats.length;
    // At the end of a step it is still that step.
    const isAtEdge = Number.isInteger(this.#position) && this.#position > 0;
    const { index, part } = isAtEdge ? { index: this.#position - 1, part: 1 } : at(this.#position, count);
    const beat = story.hasBegun ? this.#beats[index] : undefined;
    const failed = beat !== undefined && story.failedStep === beat.number;
    const isLive = story.isConnected && this.#position >= count;
    const isInterrupted = this.#dialog.dataset.phase === 'interrupted';
    this.#map.show({ number: beat && (this.#position > 0 || this.#playing) ? beat.number : 0, part, failed, isLive, isInterrupted });

    const state = [beat?.number, this.#playing, failed, isLive, isInterrupted, count].join();
    this.#time.textContent = beat ? texts.stage.sinceClick(formats.duration(timeAt(this.#beats, this.#position))) : '';
    if (state === this.#shown && !always) return;
    this.#shown = state;
    this.#dialog.dataset.beat = String(beat?.number ?? 0);
    this.#badge.textContent = isInterrupted && isLive ? '!' : beat ? beat.number === connecting ? '✓' : String(beat.number) : '·';
    this.#badge.dataset.state = failed || (isInterrupted && isLive) ? 'failed' : beat?.number === connecting ? 'done' : '';
    const words = isInterrupted && isLive ? texts.stage.interrupted : beat ? stepWords(beat.number) : { title: texts.stage.noCallYet, text: texts.stage.noCallHint };
    this.#title.textContent = words.title;
    this.#text.textContent = failed ? texts.stage.stoppedHere : words.text;
    this.#slider.setAttribute('aria-valuetext', beat ? texts.stage.stepOf(beat.number === connecting ? texts.stage.afterwards : String(beat.number), words.title) : words.title);
    this.#slider.disabled = count === 0 || !story.hasBegun;
    this.#play.textContent = this.#playing ? texts.stage.pause : story.hasBegun ? texts.stage.replay : texts.stage.callNow;
    this.#play.dataset.state = this.#playing ? 'playing' : 'paused';
    const factor = beat && slowMotion(beat);
    this.#slow.textContent = factor === undefined || !story.isConnected ? '' : factor >= 1
      ? texts.stage.slower(formats.count(Math.round(factor))) : texts.stage.faster(formats.count(Math.round(1 / factor)));
    this.#showShares(beat);
  }

  /** The real times, drawn to scale. They add up to the total. */
  #showShares(current: Beat | undefined): void {
    const { total, each } = tenthsOf(this.#beats);
    const isComplete = story.isConnected && total > 0;
    this.#shares.replaceChildren(...this.#beats.map((beat, index) => {
      const time = beat.isReported ? formats.tenths(each[index]!) : texts.steps.notReported;
      const name = beat.number === connecting ? '✓' : String(beat.number);
      const share = el('li', { 'data-beat': beat.number, 'data-state': beat.state, 'aria-current': current === beat ? 'step' : undefined, title: `${name}: ${stepWords(beat.number).title}, ${time}` },
        el('span', { class: 'share-number' }, name), el('span', { class: 'share-time' }, beat.state === 'done' ? time : '–'));
      share.style.flexGrow = String(isComplete ? Math.max(each[index]! / total, 0.012) : 1);
      return share;
    }));
    this.#total.textContent = isComplete ? texts.stage.total(formats.tenths(total)) : '';
  }
}
