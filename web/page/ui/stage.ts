import { LevelMeter } from '../call/media.ts';
import { find } from '../../shared/dom.ts';

const bandCount = 24;
const calmMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** The pictures of both ends, and the far end's sound and its level. */
export class Stage {
  readonly #far = find<HTMLVideoElement>('far-video');
  readonly #near = find<HTMLVideoElement>('near-video');
  readonly #meter = find('meter');
  readonly #bands: HTMLElement[];
  readonly #fullScreen = find('full-screen');
  readonly #inPicture = find('picture-in-picture');
  #level: LevelMeter | undefined;
  #frame = 0;
  #lastDraw = 0;

  constructor() {
    this.#bands = Array.from({ length: bandCount }, () => document.createElement('span'));
    this.#meter.append(...this.#bands);
    this.#fullScreen.hidden = !document.fullscreenEnabled;
    this.#fullScreen.addEventListener('click', () => void this.#toggleFullScreen());
    document.addEventListener('fullscreenchange', () => { this.#fullScreen.ariaPressed = String(document.fullscreenElement !== null); });
    // Firefox offers it by a button of its own.
    this.#inPicture.hidden = !document.pictureInPictureEnabled;
    this.#inPicture.addEventListener('click', () => void this.#togglePictureInPicture());
  }

  showNear(stream: MediaStream): void {
    this.#near.srcObject = new MediaStream(stream.getVideoTracks());
  }

  /** A person is audible at once, an echo only on request. */
  showFar(stream: MediaStream, audible: boolean): void {
    this.#far.srcObject = stream;
    this.#far.muted = !audible;
    // A page without any user action may not play sound. The picture still plays.
    this.#far.play().catch(() => { this.#far.muted = true; });
    if (stream.getAudioTracks().length === 0) return;
    this.#stopMeter();
    this.#level = new LevelMeter(stream);
    this.#frame = requestAnimationFrame(this.#draw);
  }

  listen(on: boolean): void {
    this.#far.muted = !on;
  }

  /** Plays the sound on another speaker, if the browser can. */
  async speaker(id: string): Promise<void> {
    await this.#far.setSinkId?.(id).catch(() => {});
  }

  clear(): void {
    this.#stopMeter();
    if (document.fullscreenElement) void document.exitFullscreen();
    if (document.pictureInPictureElement) void document.exitPictureInPicture?.();
    this.#far.srcObject = null;
    this.#near.srcObject = null;
  }

  /** The whole card, so that the controls and the messages stay in sight. */
  async #toggleFullScreen(): Promise<void> {
    if (document.fullscreenElement) return document.exitFullscreen();
    await find('call-card').requestFullscreen().catch(() => {});
  }

  async #togglePictureInPicture(): Promise<void> {
    if (document.pictureInPictureElement) return document.exitPictureInPicture?.();
    await this.#far.requestPictureInPicture?.().catch(() => {});
  }

  #stopMeter(): void {
    cancelAnimationFrame(this.#frame);
    this.#level?.close();
    this.#level = undefined;
    for (const band of this.#bands) band.style.transform = '';
    this.#meter.ariaValueNow = '0';
  }

  readonly #draw = (time: number): void => {
    this.#frame = requestAnimationFrame(this.#draw);
    if (!this.#level || time - this.#lastDraw < (calmMotion.matches ? 500 : 33)) return;
    this.#lastDraw = time;
    const levels = this.#level.bands(bandCount);
    // Loudest band in the middle: the low frequencies of speech spread to both sides.
    this.#bands.forEach((band, index) => {
      const distance = Math.abs(index - (bandCount - 1) / 2);
      band.style.transform = `scaleY(${Math.max(0.06, levels[Math.floor(distance)] ?? 0).toFixed(3)})`;
    });
    this.#meter.ariaValueNow = String(Math.round(Math.max(...levels) * 100));
  };
}
