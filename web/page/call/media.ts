import { Problem } from './problem.ts';

/** The chosen microphone and camera; undefined for the browser's choice. */
export interface Devices {
  microphone?: string | undefined;
  camera?: string | undefined;
}

/** What keeps this browser from any call: WebRTC is missing, or an extension or a setting has switched it off. */
export function missingInBrowser(): Problem | undefined {
  return 'RTCPeerConnection' in globalThis ? undefined : new Problem('webrtc_missing');
}

/** Captures the microphone, and the camera if `video`. If a chosen device is gone, the browser takes another one. */
export function captureMedia(video: boolean, devices: Devices = {}): Promise<MediaStream> {
  return capture({
    audio: devices.microphone ? { deviceId: { ideal: devices.microphone } } : true,
    video: video && pictureOf(devices),
  });
}

/** Whether the user has allowed a device already. Some browsers do not tell. */
export async function isAllowed(device: string): Promise<boolean> {
  return (await navigator.permissions?.query({ name: device as PermissionName }).catch(() => undefined))?.state === 'granted';
}

/** The camera only, for a call that has the microphone already. */
export async function captureCamera(devices: Devices = {}): Promise<MediaStreamTrack> {
  return (await capture({ video: pictureOf(devices) })).getVideoTracks()[0]!;
}

function pictureOf(devices: Devices): MediaTrackConstraints {
  return { width: { ideal: 1280 }, height: { ideal: 720 }, ...(devices.camera ? { deviceId: { ideal: devices.camera } } : {}) };
}

async function capture(constraints: MediaStreamConstraints): Promise<MediaStream> {
  const missing = missingInBrowser();
  if (missing) throw missing;
  if (!navigator.mediaDevices) throw new Problem('insecure_context', { step: 1 });
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (error) {
    const name = error instanceof DOMException ? error.name : '';
    const code = codeOfError[name] ?? 'media_failed';
    throw new Problem(constraints.video ? code.replace('microphone', 'camera') : code, { step: 1, detail: name });
  }
}

const codeOfError: Record<string, string> = {
  NotAllowedError: 'microphone_blocked',
  NotFoundError: 'microphone_missing',
  OverconstrainedError: 'microphone_missing',
  NotReadableError: 'microphone_busy',
};

/** A soft pulsing tone, and a drawn picture if `video`, for machines without microphone or camera. */
export function generateMedia(video: boolean): MediaStream {
  const audio = new AudioContext();
  const tone = new OscillatorNode(audio, { frequency: 440 });
  const pulse = new OscillatorNode(audio, { frequency: 1.5 });
  const depth = new GainNode(audio, { gain: 0.05 });
  const level = new GainNode(audio, { gain: 0.06 });
  const output = new MediaStreamAudioDestinationNode(audio);
  pulse.connect(depth).connect(level.gain);
  tone.connect(level).connect(output);
  tone.start();
  pulse.start();

  const stream = output.stream;
  if (video) stream.addTrack(generatePicture());
  const [track] = stream.getAudioTracks();
  onStop(track!, () => void audio.close());
  return stream;
}

/** A drawn picture, for machines without a camera. */
export function generatePicture(): MediaStreamTrack {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const context = canvas.getContext('2d')!;
  const draw = () => {
    const seconds = performance.now() / 1000;
    context.fillStyle = `hsl(${(seconds * 12) % 360} 45% 22%)`;
    context.fillRect(0, 0, 640, 360);
    context.fillStyle = '#fff';
    context.beginPath();
    context.arc(320 + 200 * Math.cos(seconds), 180 + 90 * Math.sin(seconds * 1.7), 26, 0, 2 * Math.PI);
    context.fill();
  };
  draw();
  const timer = setInterval(draw, 40);
  const [track] = canvas.captureStream(25).getVideoTracks();
  onStop(track!, () => clearInterval(timer));
  return track!;
}

function onStop(track: MediaStreamTrack, then: () => void): void {
  const stop = track.stop.bind(track);
  track.stop = () => {
    stop();
    then();
  };
}

export function stop(media: MediaStream): void {
  for (const track of media.getTracks()) track.stop();
}

/** How loud a stream is, for a meter: 0 (silent) to 1. */
export class LevelMeter {
  readonly #audio = new AudioContext();
  readonly #analyser = new AnalyserNode(this.#audio, { fftSize: 64, smoothingTimeConstant: 0.75, minDecibels: -85, maxDecibels: -25 });
  readonly #bins = new Uint8Array(this.#analyser.frequencyBinCount);

  constructor(stream: MediaStream) {
    if (stream.getAudioTracks().length > 0) this.#audio.createMediaStreamSource(stream).connect(this.#analyser);
  }

  /** Level of `count` frequency bands, each 0 to 1. */
  bands(count: number): number[] {
    this.#analyser.getByteFrequencyData(this.#bins);
    return Array.from({ length: count }, (_, band) => (this.#bins[band] ?? 0) / 255);
  }

  close(): void {
    void this.#audio.close();
  }
}
