import type { Credentials, StepState } from '../call/callView.ts';
import type { MediaStatistics } from '../call/statistics.ts';
import { find } from '../../shared/dom.ts';
import type { Line, LineScreen, Total } from '../phone/line.ts';
import { clock } from '../../shared/texts/formats.ts';
import { texts } from '../../shared/texts/language.ts';
import { Figures } from './figures.ts';
import { Stage } from './stage.ts';
import { StepLadder } from './stepLadder.ts';

/** Where the page draws one line of the telephone: pictures and sound, the ladder, the path of the media. */
export class Screen implements LineScreen {
  readonly #figures = new Figures();
  readonly #stage = new Stage();
  readonly #ladder = new StepLadder(find('ladder'), find('lane-names'));
  readonly #onchange: () => void;
  #line: Line | undefined;
  #giveUpAt: number | undefined;

  constructor(onchange: () => void) {
    this.#onchange = onchange;
  }

  /** Draws this line and no other one. */
  show(line: Line): void {
    this.clear();
    this.#line = line;
    const trace = line.flow?.trace.id ?? '';
    find('trace-id').textContent = trace;
    find<HTMLAnchorElement>('trace-link').href = `/flow/#/calls/${trace}`;
    find('far-link').textContent = line.isWithPerson ? texts.labels.farRelay : texts.labels.echo;
    find('mute').ariaPressed = String(line.isMuted);
    find('listen').ariaPressed = String(!line.isWithPerson && line.isAudible);
    this.name(line);
    this.held(line);
    line.show(this);
  }

  clear(): void {
    this.#line?.detach();
    this.#line = undefined;
    this.#ladder.reset();
    this.#figures.clear();
    this.#stage.clear();
    this.video({ here: false, there: false });
    this.interrupted(undefined);
    find('trace-id').textContent = '';
    find('total').textContent = texts.page.callAndWatch;
    find('far-link').textContent = '–';
    find('far-name').textContent = texts.labels.farEnd;
    find('stage').dataset.held = 'false';
    for (const id of ['mute', 'listen', 'hold']) find(id).ariaPressed = 'false';
  }

  /** The call is over. Its ladder stays. */
  end(): void {
    find('stage').dataset.held = 'false';
    this.interrupted(undefined);
    this.video({ here: false, there: false });
    this.#stage.clear();
    this.#figures.stop();
  }

  step(number: number, state: StepState, took?: number): void {
    this.#ladder.set(number, state, took);
  }

  localMedia(stream: MediaStream): void {
    this.#stage.showNear(stream);
  }

  remoteMedia(stream: MediaStream): void {
    this.#stage.showFar(stream, this.#line!.isAudible);
  }

  relayed(candidate: RTCIceCandidate): void {
    this.#figures.relayed(candidate);
  }

  credentials(credentials: Credentials): void {
    this.#figures.credentials(credentials);
  }

  /** The picture of either side: both, one or none. */
  video({ here, there }: { here: boolean; there: boolean }): void {
    Object.assign(find('stage').dataset, { video: String(here || there), nearVideo: String(here), farVideo: String(there) });
    this.#onchange();
  }

  /** Until an interrupted call is given up. */
  interrupted(giveUpAt: number | undefined): void {
    this.#giveUpAt = giveUpAt;
    this.#showCountdown();
  }

  total(total: Total): void {
    find('total').textContent = total.kind === 'failed' ? texts.labels.failedAt(total.step) : this.#ladder.sum(total.took);
  }

  held(line: Line): void {
    find('hold').ariaPressed = String(line.held.here);
    find('stage').dataset.held = String(line.held.here || line.held.there);
  }

  name(line: Line): void {
    if (line.isWithPerson) find('far-name').textContent = line.name;
  }

  statistics(statistics: MediaStatistics): void {
    this.#figures.show(statistics);
  }

  /** Called each second. */
  tick(): void {
    this.#figures.tick();
    this.#showCountdown();
  }

  listen(on: boolean): void {
    this.#stage.listen(on);
  }

  async speaker(id: string | undefined): Promise<void> {
    await this.#stage.speaker(id as string);
  }

  #showCountdown(): void {
    const giveUpAt = this.#giveUpAt;
    const left = giveUpAt === undefined ? undefined : Math.max(0, Math.ceil((giveUpAt - performance.now()) / 1000));
    find('give-up').hidden = left === undefined;
    find('give-up').textContent = left === undefined ? '' : texts.labels.triesFor(clock(left));
  }
}
