/** The trace that starts with the click: every request of the call carries its id (W3C Trace Context). */
export class Trace {
  readonly id = randomHex(16);

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
