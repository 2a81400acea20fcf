import { find } from '../../shared/dom.ts';
import { clock } from '../../shared/texts/formats.ts';
import { texts } from '../../shared/texts/language.ts';
import type { IncomingCall } from '../ims/registration.ts';
import { ringTime } from '../phone/ringing.ts';
import { RingNotification } from './ringNotification.ts';
import type { Tones } from './tones.ts';

/** What happens to the running call when the new one is accepted. */
export type Acceptance = 'accept' | 'holdAndAccept' | 'endAndAccept';

/** A call that rings at this page: its panel, its sound, its notification, and how it ends if it is not answered. */
export class Ringing {
  readonly #tones: Tones;
  readonly #onend: (call: IncomingCall, outcome: 'missed' | 'declined') => void;
  readonly #notification = new RingNotification();
  readonly #pageTitle = document.title;
  #call: IncomingCall | undefined;
  #since = 0;
  #isDeclined = false;

  constructor(tones: Tones, onend: (call: IncomingCall, outcome: 'missed' | 'declined') => void) {
    this.#tones = tones;
    this.#onend = onend;
  }

  get call(): IncomingCall | undefined {
    return this.#call;
  }

  start(call: IncomingCall, isWaiting: boolean): void {
    this.#call = call;
    this.#since = performance.now();
    this.#isDeclined = false;
    // The caller gave up, or the time to answer is over: for the person at this page, both are a missed call.
    call.session.on('failed', () => {
      if (this.#call !== call) return;
      this.stop();
      this.#onend(call, this.#isDeclined ? 'declined' : 'missed');
    });
    if (isWaiting) this.#tones.waiting();
    else this.#tones.ringing();
    this.#notification.show(call.caller.name, call.withVideo);
  }

  /** It is answered, or over. */
  stop(): void {
    this.#call = undefined;
    this.#tones.stop();
    this.#notification.close();
  }

  decline(): void {
    this.#isDeclined = true;
    this.end();
  }

  /** The page goes away. */
  end(): void {
    this.#call?.session.terminate({ status_code: 486, reason_phrase: 'Busy Here' });
  }

  render(acceptance: Acceptance): void {
    const call = this.#call;
    document.title = call ? texts.labels.titleIncoming(call.caller.name) : this.#pageTitle;
    if (!call) return;
    find('caller').textContent = call.caller.name;
    find('caller-address').textContent = call.caller.impu ?? '';
    find('incoming-kind').textContent = call.withVideo ? texts.labels.callsWithVideo : texts.labels.calls;
    find('accept-video').hidden = !call.withVideo;
    find('accept-label').textContent = acceptance === 'accept' && call.withVideo ? texts.labels.acceptWithoutVideo : texts.labels[acceptance];
    this.tick();
  }

  /** Called each second. */
  tick(): void {
    if (!this.#call) return;
    const { passed, left } = ringTime(this.#since, performance.now());
    find('incoming-time').textContent = `${clock(passed)} · ${texts.labels.ringsFor(left)}`;
  }
}
