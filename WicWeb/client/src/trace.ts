/** The trace that starts with the click (W3C Trace Context): every request of the call carries its id. */
export class Trace {
  readonly id = randomHex(16);
  /** The span of the whole call. */
  readonly root = randomHex(8);
  /** The span that is at work; the requests that it makes are its children. */
  current = this.root;

  /** A `traceparent` value, sampled. */
  traceparent(): string {
    return `00-${this.id}-${this.current}-01`;
  }
}

export function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  // All zeros is not a valid id.
  if (random.every(byte => byte === 0)) return randomHex(bytes);
  return Array.from(random, byte => byte.toString(16).padStart(2, '0')).join('');
}
