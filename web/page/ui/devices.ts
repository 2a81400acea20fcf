import { find } from '../../shared/dom.ts';
import { captureCamera, captureMedia, type Devices, LevelMeter, stop } from '../call/media.ts';
import { type Problem, problemOf } from '../call/problem.ts';
import { texts } from '../../shared/texts/language.ts';

const kinds = { microphone: 'audioinput', camera: 'videoinput', speaker: 'audiooutput' } as const;
type Kind = keyof typeof kinds;

const testTone = { seconds: 1.2, frequencies: [523, 659, 784] };

/**
 * The choice of microphone, camera and speaker, which the browser stores, and a try of each before a call. The browser asks for
 * permission only when the user starts such a try. In a call, the open panel shows the level of the microphone.
 */
export class DeviceChoice {
  readonly #panel = find<HTMLDetailsElement>('devices');
  readonly #level = find<HTMLMeterElement>('microphone-level');
  readonly #picture = find<HTMLVideoElement>('camera-preview');
  readonly #changed: (kind: Kind) => void;
  readonly #failed: (problem: Problem) => void;
  #sound: MediaStream | undefined;
  #meter: LevelMeter | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(changed: (kind: Kind) => void, failed: (problem: Problem) => void) {
    this.#changed = changed;
    this.#failed = failed;
    for (const kind of Object.keys(kinds) as Kind[]) {
      this.#select(kind).addEventListener('change', event => {
        localStorage.setItem(kind, (event.target as HTMLSelectElement).value);
        if (kind === 'microphone' && this.#sound) void this.#listen();
        if (kind === 'camera' && this.#picture.srcObject) void this.#look();
        this.#changed(kind);
      });
    }
    // Only Chromium and Firefox can choose the speaker.
    find('speaker-choice').hidden = !('setSinkId' in HTMLMediaElement.prototype);
    find('try-microphone').addEventListener('click', () => this.#sound ? this.#stopSound() : void this.#listen());
    find('try-camera').addEventListener('click', () => this.#picture.srcObject ? this.#stopPicture() : void this.#look());
    find('try-speaker').addEventListener('click', () => void this.#playTone());
    this.#panel.addEventListener('toggle', () => {
      if (!this.#panel.open) this.#stop();
      // In a call the page has the permission.
      else if (!find('hang-up').hidden) void this.#listen();
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
    this.#stop();
  }

  #stored(kind: Kind): string | undefined {
    return localStorage.getItem(kind) || undefined;
  }

  #select(kind: Kind): HTMLSelectElement {
    return find<HTMLSelectElement>(kind);
  }

  async #listen(): Promise<void> {
    this.#stopSound();
    const sound = await this.#capture(captureMedia(false, this.chosen));
    if (!sound) return;
    this.#sound = sound;
    find('try-microphone').ariaPressed = 'true';
    const meter = this.#meter = new LevelMeter(sound);
    this.#timer = setInterval(() => { this.#level.value = Math.max(...meter.bands(24)); }, 80);
  }

  async #look(): Promise<void> {
    this.#stopPicture();
    const picture = await this.#capture(captureCamera(this.chosen).then(track => new MediaStream([track])));
    if (!picture) return;
    this.#picture.srcObject = picture;
    this.#picture.hidden = false;
    find('try-camera').ariaPressed = 'true';
  }

  /** The captured stream, unless it failed or the panel was closed meanwhile. */
  async #capture(captured: Promise<MediaStream>): Promise<MediaStream | undefined> {
    try {
      const stream = await captured;
      // The browser gives names only to a page that may use the devices.
      await this.#list();
      if (this.#panel.open) return stream;
      stop(stream);
    } catch (thrown) {
      this.#failed(problemOf(thrown));
    }
    return undefined;
  }

  /** Three notes on the chosen speaker. */
  async #playTone(): Promise<void> {
    const audio = new AudioContext();
    const [output, volume] = [new MediaStreamAudioDestinationNode(audio), new GainNode(audio, { gain: 0.15 })];
    volume.connect(output);
    const player = new Audio();
    player.srcObject = output.stream;
    await player.setSinkId?.(this.chosen.speaker).catch(() => {});
    const length = testTone.seconds / testTone.frequencies.length;
    testTone.frequencies.forEach((frequency, index) => {
      const note = new OscillatorNode(audio, { frequency });
      note.connect(volume);
      note.start(audio.currentTime + index * length);
      note.stop(audio.currentTime + (index + 1) * length);
      if (index === testTone.frequencies.length - 1) note.addEventListener('ended', () => void audio.close());
    });
    await player.play().catch(() => {});
  }

  #stop(): void {
    this.#stopSound();
    this.#stopPicture();
  }

  #stopSound(): void {
    clearInterval(this.#timer);
    this.#meter?.close();
    if (this.#sound) stop(this.#sound);
    this.#meter = this.#sound = undefined;
    this.#level.value = 0;
    find('try-microphone').ariaPressed = 'false';
  }

  #stopPicture(): void {
    if (this.#picture.srcObject) stop(this.#picture.srcObject as MediaStream);
    this.#picture.srcObject = null;
    this.#picture.hidden = true;
    find('try-camera').ariaPressed = 'false';
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
