/** The trace that starts with the click: every request of the call carries its id (W3C Trace Context). */
export class Trace {
  readonly id: string;

  constructor(id = randomHex(16)) {
    this.id = id;
  }

  /** The trace of somebody else's `traceparent`; a new one when that is malformed. */
  static of(traceparent: string): Trace {
    return new Trace(/^00-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(traceparent.trim())?.[1]);
  }

  /** A `traceparent` value, sampled, with a new span id. */
  traceparent(): string {
    return `00-${this.id}-${randomHex(8)}-01`;
  }
}

function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  // All zeros is not a valid id.
  if (random.every(byte => byte === 0)) return randomHex(bytes);
  return Array.from(random, byte => byte.toString(16).padStart(2, '0')).join('');
}
