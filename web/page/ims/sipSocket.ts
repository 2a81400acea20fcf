import { WebSocketInterface } from 'jssip';

/** The time after which a silent connection has failed (RFC 5626 §4.4.1). A browser itself waits for minutes. In milliseconds. */
export const answerLimit = 10_000;

/** The WebSocket of JsSIP. If the network swallows what is sent, it reports a lost connection: JsSIP connects again, and calls go on. */
export class SipSocket extends WebSocketInterface {
  #limit: ReturnType<typeof setTimeout> | undefined;

  override connect(): void {
    super.connect();
    this.expect(() => !this.isConnecting());
  }

  override disconnect(): void {
    clearTimeout(this.#limit);
    super.disconnect();
  }

  /** Gives the connection up if nothing has arrived within the limit. The last expectation counts. */
  expect(hasArrived: () => boolean): void {
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => {
      if (hasArrived()) return;
      this.disconnect();
      this.ondisconnect(true);
    }, answerLimit);
  }
}
