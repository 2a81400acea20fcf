/** The trace that starts with the click (W3C Trace Context): every request of the call carries its id. */
export class Trace {
  readonly id: string;
  /** The span that this page's part hangs under; empty when the trace begins here. */
  readonly parent: string;
  /** The span of the whole call. */
  readonly root = randomHex(8);
  /** The span that is at work; the requests that it makes are its children. */
  current = this.root;

  constructor(id = randomHex(16), parent = '') {
    this.id = id;
    this.parent = parent;
  }

  /** The trace of somebody else's `traceparent`; a new one when that is malformed. */
  static of(traceparent: string): Trace {
    const [, id, parent] = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/.exec(traceparent.trim()) ?? [];
    return new Trace(id, parent);
  }

  /** A `traceparent` value, sampled: for what the span at work causes, unless another is named. */
  traceparent(span = this.current): string {
    return `00-${this.id}-${span}-01`;
  }
}

export function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  // All zeros is not a valid id.
  if (random.every(byte => byte === 0)) return randomHex(bytes);
  return Array.from(random, byte => byte.toString(16).padStart(2, '0')).join('');
}
