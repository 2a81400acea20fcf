import type { CallView } from '../call/callView.ts';
import type { RecordedStep, Recording } from './timeline.ts';

/** What the browser knows about a token: nothing that opens it, and no secret. */
export interface TokenFacts {
  kid: string;
  octets: number;
  lifetime: number;
  /** The first octets of SHA-256 of the session key, as hexadecimal digits. The key itself is not kept. */
  keyPrint: string;
}

export interface Answer { kid?: string; key?: string; access_token?: string; expires_in: number }

/** The steps of the present call with their times, for the stage to replay. A new call replaces it. */
export class Story extends EventTarget {
  #steps = new Map<number, RecordedStep>();
  #relayed: number | undefined;
  #connected: number | undefined;
  #clicked = 0;
  #hasBegun = false;
  #token: TokenFacts | undefined;
  #relay: string | undefined;

  get recording(): Recording {
    return {
      steps: this.#steps,
      ...(this.#relayed === undefined ? {} : { relayed: this.#relayed }),
      ...(this.#connected === undefined ? {} : { connected: this.#connected }),
    };
  }

  /** Whether there is a call to show. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** The step that failed, if one did. */
  get failedStep(): number | undefined {
    return [...this.#steps].find(([, step]) => step.state === 'failed')?.[0];
  }

  get isConnected(): boolean {
    return this.#connected !== undefined;
  }

  get token(): TokenFacts | undefined {
    return this.#token;
  }

  /** The relayed transport address of this page. */
  get relay(): string | undefined {
    return this.#relay;
  }

  clear(): void {
    this.#steps = new Map();
    this.#relayed = this.#connected = this.#token = this.#relay = undefined;
    this.#hasBegun = false;
    this.#changed();
  }

  /** Keeps the facts of a token, not the token. */
  async keep({ kid = '', key = '', access_token = '', expires_in }: Answer): Promise<void> {
    const steps = this.#steps;
    const keyPrint = await printOf(key);
    if (steps !== this.#steps) return;
    this.#token = { kid, octets: octetsOf(access_token).length, lifetime: expires_in, keyPrint };
    this.#changed();
  }

  /** A view that also records what it is shown. */
  record(view: CallView): CallView {
    this.clear();
    this.#clicked = performance.now();
    this.#hasBegun = true;
    const steps = this.#steps;
    const isCurrent = () => steps === this.#steps;
    return {
      ...view,
      step: (number, state, took) => {
        view.step(number, state, took);
        if (!isCurrent()) return;
        const now = performance.now() - this.#clicked;
        const step = steps.get(number);
        if (state === 'skipped') steps.delete(number);
        else if (state === 'active') steps.set(number, { state, began: now });
        else steps.set(number, { ...step, state, ended: now, took: took ?? (step?.began === undefined ? undefined : now - step.began) });
        this.#changed();
      },
      relayed: (candidate, sinceClick) => {
        view.relayed(candidate, sinceClick);
        if (!isCurrent()) return;
        this.#relayed = sinceClick;
        const { address } = candidate;
        this.#relay = address ? `${address.includes(':') ? `[${address}]` : address}:${candidate.port}` : undefined;
        this.#changed();
      },
      connected: sinceClick => {
        view.connected(sinceClick);
        if (!isCurrent()) return;
        this.#connected = sinceClick;
        this.#changed();
        this.dispatchEvent(new Event('connected'));
      },
    };
  }

  #changed(): void {
    this.dispatchEvent(new Event('change'));
  }
}

function octetsOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0));
}

/** Empty where the browser has no hash function: the address is not secure. */
async function printOf(base64: string): Promise<string> {
  if (!globalThis.crypto?.subtle || base64 === '') return '';
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', octetsOf(base64)));
  return [...hash.subarray(0, 4)].map(octet => octet.toString(16).padStart(2, '0')).join('');
}

export const story = new Story();
