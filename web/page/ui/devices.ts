import { find } from '../../shared/dom.ts';
import { captureMedia, type Devices, LevelMeter, stop } from '../call/media.ts';
import { type Problem, problemOf } from '../call/problem.ts';
import { texts } from '../../shared/texts/language.ts';

const kinds = { microphone: 'audioinput', camera: 'videoinput', speaker: 'audiooutput' } as const;
type Kind = keyof typeof kinds;

/** The choice of microphone, camera and speaker, which the browser stores. While it is open, it shows the microphone's level. */
export class DeviceChoice {
  readonly #panel = find<HTMLDetailsElement>('devices');
  readonly #level = find<HTMLMeterElement>('microphone-level');
  readonly #changed: (kind: Kind) => void;
  #preview: MediaStream | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(changed: (kind: Kind) => void, failed: (problem: Problem) => void) {
    this.#changed = changed;
    for (const kind of Object.keys(kinds) as Kind[]) {
      this.#select(kind).addEventListener('change', event => {
        localStorage.setItem(kind, (event.target as HTMLSelectElement).value);
        if (kind === 'microphone' && this.#panel.open) void this.#listen(failed);
        this.#changed(kind);
      });
    }
    // Only Chromium and Firefox can choose the speaker.
    find('speaker-choice').hidden = !('setSinkId' in HTMLMediaElement.prototype);
    this.#panel.addEventListener('toggle', () => {
      if (this.#panel.open) void this.#listen(failed);
      else this.#close();
    });
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.#list());
    void this.#list();
  }

  get chosen(): Devices & { speaker: string } {
    const [microphone, camera] = [this.#stored('microphone'), this.#stored('camera')];
    return { microphone, camera, speaker: this.#stored('speaker') ?? '' };
  }

  close(): void {
    this.#panel.open = false;
  }

  #stored(kind: Kind): string | undefined {
    return localStorage.getItem(kind) || undefined;
  }

  #select(kind: Kind): HTMLSelectElement {
    return find<HTMLSelectElement>(kind);
  }

  async #listen(failed: (problem: Problem) => void): Promise<void> {
    this.#close();
    try {
      const preview = await captureMedia(false, this.chosen);
      if (!this.#panel.open) return stop(preview);
      this.#preview = preview;
      // The browser gives names only to a page that may use the devices.
      await this.#list();
      const meter = new LevelMeter(preview);
      this.#timer = setInterval(() => { this.#level.value = Math.max(...meter.bands(24)); }, 80);
      preview.getAudioTracks()[0]?.addEventListener('ended', () => meter.close());
    } catch (thrown) {
      failed(problemOf(thrown));
    }
  }

  #close(): void {
    clearInterval(this.#timer);
    if (this.#preview) stop(this.#preview);
    this.#preview = undefined;
    this.#level.value = 0;
  }

  async #list(): Promise<void> {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    for (const [kind, deviceKind] of Object.entries(kinds) as [Kind, MediaDeviceKind][]) {
      const ofKind = devices.filter(device => device.kind === deviceKind && device.deviceId !== '' && device.deviceId !== 'default');
      const options = [new Option(texts.labels.standardDevice, ''), ...ofKind.map((device, index) => new Option(device.label || texts.labels.device(index + 1), device.deviceId))];
      this.#select(kind).replaceChildren(...options);
      const stored = this.#stored(kind);
      if (ofKind.some(device => device.deviceId === stored)) this.#select(kind).value = stored!;
    }
  }
}
