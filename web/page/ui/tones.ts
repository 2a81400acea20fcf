export const keypad = ['123', '456', '789', '*0#'];

/** The tones of a telephone: ringing, ringback, busy, and the keys. Silent until the first action of the user. */
export class Tones {
  #audio: AudioContext | undefined;
  #stop = () => {};

  /** Browsers let a page play sound only after a click or a key. */
  wake(): void {
    this.#audio ??= new AudioContext();
    if (this.#audio.state === 'suspended') void this.#audio.resume();
  }

  /** An incoming call: two soft notes, every three seconds. */
  ringing(): void {
    this.#repeat(3, [[0, 0.35, 523, 659], [0.45, 0.35, 587, 740]], 0.12);
  }

  /** A call waits while the user talks: a soft double tone, as ITU-T E.180 has it. */
  waiting(): void {
    this.#repeat(6, [[0, 0.2, 425], [0.4, 0.2, 425]], 0.04);
  }

  /** The far end rings (ITU-T E.180: 425 Hz, 1 s on, 4 s off). */
  ringback(): void {
    this.#repeat(5, [[0, 1, 425]], 0.06);
  }

  /** ITU-T E.180: 425 Hz, twice a second, for two seconds. */
  busy(): void {
    this.#repeat(0, [0, 0.5, 1, 1.5].map(start => [start, 0.25, 425]), 0.05);
  }

  /** A key (ITU-T Q.23), so that the person who presses it hears it. */
  key(key: string): void {
    const row = keypad.findIndex(keys => keys.includes(key));
    if (row < 0) return;
    this.#play([[0, 0.15, [697, 770, 852, 941][row]!, [1209, 1336, 1477][keypad[row]!.indexOf(key)]!]], 0.05);
  }

  stop(): void {
    this.#stop();
    this.#stop = () => {};
  }

  #repeat(seconds: number, notes: number[][], gain: number): void {
    this.stop();
    let silence = this.#play(notes, gain);
    const timer = seconds > 0 ? setInterval(() => { silence = this.#play(notes, gain); }, seconds * 1000) : undefined;
    this.#stop = () => {
      clearInterval(timer);
      silence();
    };
  }

  /** Plays notes of start, length (s) and frequencies (Hz). Returns a function that silences them. */
  #play(notes: number[][], gain: number): () => void {
    const audio = this.#audio;
    if (!audio || audio.state !== 'running') return () => {};
    const volume = new GainNode(audio, { gain: 0 });
    volume.connect(audio.destination);
    const now = audio.currentTime + 0.02;
    for (const [start = 0, length = 0, ...frequencies] of notes) {
      volume.gain.setTargetAtTime(gain, now + start, 0.01);
      volume.gain.setTargetAtTime(0, now + start + length, 0.015);
      for (const frequency of frequencies) {
        const tone = new OscillatorNode(audio, { frequency });
        tone.connect(volume);
        tone.start(now + start);
        tone.stop(now + start + length + 0.1);
      }
    }
    return () => volume.disconnect();
  }
}
