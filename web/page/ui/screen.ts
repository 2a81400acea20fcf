import type { Credentials, StepState } from '../call/callView.ts';
import type { MediaStatistics } from '../call/statistics.ts';
import { find } from '../../shared/dom.ts';
import type { Line, LineScreen, Total } from '../phone/line.ts';
import { formats, texts } from '../../shared/texts/language.ts';
import { Figures } from './figures.ts';
import { Stage } from './stage.ts';
import { StepLadder } from './stepLadder.ts';

/** Where the page draws one line of the telephone: pictures and sound, the ladder, the path of the media. */
export class Screen implements LineScreen {
  readonly #figures = new Figures();
  readonly #stage = new Stage();
  readonly #ladder = new StepLadder(find('ladder'), find('lane-names'));
  #line: Line | undefined;

  /** Draws this line and no other one. */
  show(line: Line): void {
    this.clear();
    this.#line = line;
    const trace = line.flow?.trace.id ?? '';
    find('trace-id').textContent = trace;
    find<HTMLAnchorElement>('trace-link').href = `/flow/#/calls/${trace}`;
    find('far-link').textContent = line.isWithPerson ? texts.labels.farRelay : texts.labels.echo;
    find('stage').dataset.video = String(line.video || (line.farEnd.kind === 'caller' && line.farEnd.call.withVideo));
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
    find('trace-id').textContent = '';
    find('total').textContent = '';
    find('far-name').textContent = texts.labels.farEnd;
    find('stage').dataset.held = 'false';
    for (const id of ['mute', 'listen', 'hold']) find(id).ariaPressed = 'false';
  }

  /** The call is over. Its ladder and its figures stay. */
  end(): void {
    find('stage').dataset.held = 'false';
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
    const line = this.#line!;
    if (stream.getVideoTracks().length > 0 && line.farEnd.kind === 'caller') find('stage').dataset.video = 'true';
    this.#stage.showFar(stream, line.isAudible);
  }

  relayed(candidate: RTCIceCandidate): void {
    this.#figures.relayed(candidate);
  }

  credentials(credentials: Credentials): void {
    this.#figures.credentials(credentials);
  }

  total(total: Total): void {
    find('total').textContent = total.kind === 'failed' ? texts.labels.failedAt(total.step)
      : total.kind === 'relay' ? texts.labels.clickToRelay(formats.duration(total.took)) : texts.labels.clickToMedia(formats.duration(total.took));
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
  }

  listen(on: boolean): void {
    this.#stage.listen(on);
  }

  async speaker(id: string | undefined): Promise<void> {
    await this.#stage.speaker(id as string);
  }
}
