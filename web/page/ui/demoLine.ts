import { find } from '../../shared/dom.ts';
import { Problem } from '../call/problem.ts';
import { texts } from '../../shared/texts/language.ts';

/** A message of the demo line to the page around it: it can be called, it failed, or it has left the IMS. */
export type DemoMessage = { state: 'online'; impu: string; name: string } | { state: 'failed'; code: string } | { state: 'closed' };

const closeLimit = 3_000;

/**
 * A callee that is always available: another page (`demo.html`) in a frame, a guest with an identity of its own. Signalling and
 * media between the two pages go through the servers. Inside the browser they only exchange these messages.
 */
export class DemoLine {
  readonly #frame = document.createElement('iframe');
  readonly #gone = new AbortController();

  /** The demo line answers only this caller. */
  constructor(caller: string) {
    this.#frame.src = `/demo.html#${encodeURIComponent(caller)}`;
    this.#frame.title = texts.labels.demoLine;
    this.#frame.dataset.testid = 'demo-frame';
    find('demo-lines').append(this.#frame);
  }

  /** Resolves when the demo line can be called. */
  ready(limit: number): Promise<{ impu: string; name: string }> {
    return new Promise((resolve, reject) => {
      setTimeout(() => reject(new Problem('demo_line_unavailable')), limit);
      this.#listen(message => {
        if (message.state === 'online') resolve(message);
        if (message.state === 'failed') reject(new Problem(message.code));
      });
    });
  }

  /** Lets it leave the IMS and return its identity. If it does not answer, the frame is removed, and its page leaves by itself. */
  close(): void {
    const remove = () => {
      this.#gone.abort();
      this.#frame.remove();
    };
    this.#listen(({ state }) => { if (state === 'closed') remove(); });
    setTimeout(remove, closeLimit);
    this.#frame.contentWindow?.postMessage('close', location.origin);
  }

  #listen(handle: (message: DemoMessage) => void): void {
    addEventListener('message', ({ source, origin, data }) => {
      if (source === this.#frame.contentWindow && origin === location.origin) handle(data as DemoMessage);
    }, { signal: this.#gone.signal });
  }
}
