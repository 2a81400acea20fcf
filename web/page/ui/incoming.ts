import type { IncomingCall } from '../ims/registration.ts';
import type { PastCall } from '../phone/history.ts';
import type { Line } from '../phone/line.ts';
import type { Names } from '../phone/names.ts';
import { find } from '../../shared/dom.ts';
import { formats, texts } from '../../shared/texts/language.ts';
import type { Lines } from './lines.ts';
import { type Acceptance, Ringing } from './ringing.ts';
import type { Tones } from './tones.ts';

/** What the telephone does for a call that comes in. */
export interface IncomingActions {
  isBusy(): boolean;
  answer(call: IncomingCall, video: boolean, generated: boolean): void;
  hangUp(): void;
  remember(call: PastCall): void;
  onchange(): void;
}

/** Calls that come in: shown, accepted beside or in place of the present call, declined, or missed. */
export class Incoming {
  readonly #lines: Lines;
  readonly #names: Names;
  readonly #actions: IncomingActions;
  readonly #ringing: Ringing;

  constructor(lines: Lines, tones: Tones, names: Names, actions: IncomingActions) {
    this.#lines = lines;
    this.#names = names;
    this.#actions = actions;
    this.#ringing = new Ringing(tones, (call, outcome) => this.#notAnswered(call, outcome));
  }

  /** Also while it is being answered. */
  get ringing(): IncomingCall | undefined {
    return this.#ringing.call;
  }

  /** The call that rings, unless it is being answered. */
  get offered(): IncomingCall | undefined {
    const { call } = this.#ringing;
    return call && this.#isAnswering(call) ? undefined : call;
  }

  ring(call: IncomingCall): void {
    if (call.caller.impu) this.#names.learn(call.caller.impu, call.caller.name);
    // Both lines are in use, or another call rings already.
    if (this.#ringing.call || this.#lines.other) {
      call.session.terminate({ status_code: 486, reason_phrase: 'Busy Here' });
      return this.#actions.remember(pastOf(call, 'missed'));
    }
    const isWaiting = this.#actions.isBusy();
    // The call before is history. Its ladder would look like that of this call.
    this.#lines.clear();
    this.#ringing.start(call, isWaiting);
    if (!isWaiting) this.#lines.redrawStatus();
    this.#actions.onchange();
    // A person who talks may be about to press another button.
    if (!isWaiting) find('accept').focus();
  }

  /** The callee chooses whether to send a picture. */
  async accept(video: boolean, generated: boolean): Promise<void> {
    const call = this.offered;
    if (!call) return;
    const acceptance = this.#acceptance;
    if (acceptance === 'holdAndAccept' && (this.#lines.isChanging || !await this.#lines.holdShown())) return;
    // The caller may have given up meanwhile.
    if (this.#ringing.call !== call) return;
    if (acceptance === 'holdAndAccept') this.#lines.setAside();
    else this.#actions.hangUp();
    this.#actions.answer(call, video, generated);
  }

  /** The answer is on its way. */
  answering(): void {
    this.#ringing.stop();
    this.#actions.onchange();
  }

  decline(): void {
    const hadFocus = document.activeElement?.closest('.incoming') !== null;
    this.#ringing.decline();
    if (hadFocus) find(this.#actions.isBusy() ? 'hang-up' : 'to').focus();
  }

  /** The page goes away. */
  end(): void {
    this.#ringing.end();
  }

  render(): void {
    this.#ringing.render(this.#acceptance);
  }

  /** Called each second. */
  tick(): void {
    this.#ringing.tick();
  }

  /** What accepting the call does to the present one. An echo, or a call that is not answered yet, cannot be held. */
  get #acceptance(): Acceptance {
    if (!this.#actions.isBusy()) return 'accept';
    const { shown } = this.#lines;
    return shown?.isTalking && shown.isWithPerson ? 'holdAndAccept' : 'endAndAccept';
  }

  #isAnswering(call: IncomingCall): boolean {
    return this.#lines.hasCall && isOf(this.#lines.shown, call);
  }

  #notAnswered(call: IncomingCall, outcome: 'missed' | 'declined'): void {
    const past = pastOf(call, outcome);
    const { shown } = this.#lines;
    if (shown && this.#isAnswering(call)) {
      // It was being answered when the caller gave up.
      shown.outcome = outcome;
      shown.flow?.hangUp();
    } else this.#actions.remember(past);
    if (!this.#actions.isBusy()) {
      this.#lines.clear();
      if (outcome === 'missed') this.#lines.write(texts.labels.missed(past.name, formats.time(past.at)));
    }
    this.#actions.onchange();
  }
}

function isOf(line: Line | undefined, call: IncomingCall): boolean {
  return line?.farEnd.kind === 'caller' && line.farEnd.call === call;
}

/** A call that was not answered at this page. */
function pastOf({ caller, withVideo }: IncomingCall, outcome: 'missed' | 'declined'): PastCall {
  return { direction: 'in', kind: 'person', name: caller.name, impu: caller.impu, video: withVideo, at: Date.now(), seconds: 0, outcome };
}
