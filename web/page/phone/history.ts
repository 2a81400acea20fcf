/** How a call ended: `missed` and `declined` are of incoming calls. Another outcome is the code of the problem that ended it. */
export type Outcome = 'answered' | 'missed' | 'declined' | 'cancelled' | 'transferred' | (string & {});

export interface PastCall {
  direction: 'in' | 'out';
  kind: 'person' | 'demo_line' | 'echo';
  /** Empty for the echo. */
  name: string;
  /** Undefined for the echo and for an anonymous caller. */
  impu?: string | undefined;
  video: boolean;
  /** When it began, in milliseconds since 1970. */
  at: number;
  /** How long the two talked; 0 if they did not. */
  seconds: number;
  outcome: Outcome;
}

const key = 'calls';
export const historyLimit = 30;

/**
 * The last calls of one identity in this browser, the newest first. Another identity does not see them: its first use removes them.
 * Nothing is sent anywhere.
 */
export class CallHistory {
  readonly #storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  #owner: string | undefined;

  constructor(storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>) {
    this.#storage = storage;
  }

  /** The identity whose calls these are. */
  openFor(owner: string): void {
    if (this.#read().owner !== owner) this.clear();
    this.#owner = owner;
  }

  get calls(): PastCall[] {
    // Other tabs of the browser also write it.
    const { owner, calls } = this.#read();
    return owner === this.#owner ? calls : [];
  }

  add(call: PastCall): void {
    if (this.#owner === undefined) return;
    const calls = [call, ...this.calls].slice(0, historyLimit);
    try {
      this.#storage.setItem(key, JSON.stringify({ owner: this.#owner, calls }));
    } catch {
      // The storage is full or forbidden. Calls work without it.
    }
  }

  /** After a sign-out. */
  clear(): void {
    this.#owner = undefined;
    this.empty();
  }

  empty(): void {
    try {
      this.#storage.removeItem(key);
    } catch {
      // As above.
    }
  }

  // Extensions and older versions of the page may have written there, so nothing is taken for granted.
  #read(): { owner: string | undefined; calls: PastCall[] } {
    try {
      const stored = JSON.parse(this.#storage.getItem(key) ?? '{}') as { owner?: unknown; calls?: unknown };
      const calls = Array.isArray(stored.calls) ? stored.calls.filter(isPastCall).slice(0, historyLimit) : [];
      return { owner: typeof stored.owner === 'string' ? stored.owner : undefined, calls };
    } catch {
      return { owner: undefined, calls: [] };
    }
  }
}

function isPastCall(value: unknown): value is PastCall {
  const call = (value ?? {}) as Record<keyof PastCall, unknown>;
  return ['in', 'out'].includes(call.direction as string) && ['person', 'demo_line', 'echo'].includes(call.kind as string)
    && typeof call.name === 'string' && (call.impu === undefined || typeof call.impu === 'string') && typeof call.video === 'boolean'
    && Number.isFinite(call.at) && Number.isFinite(call.seconds) && typeof call.outcome === 'string';
}
