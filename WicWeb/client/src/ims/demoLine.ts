import { find } from '../dom.ts';
import { Problem } from '../problem.ts';
import { labels } from '../texts.ts';

/** What the demo line tells the page around it: who it is, once it can be called; why it cannot; that it has left the IMS. */
export type DemoMessage = { state: 'online'; impu: string; name: string } | { state: 'failed'; code: string } | { state: 'closed' };

const closeLimit = 3_000;

/**
 * Somebody to call when nobody else is there: another page (`demo.html`) in a frame, which is a guest with an identity of its own
 * whoever calls. Signalling and media between the two pass outside the browser; inside, they only say when to come and go.
 */
export class DemoLine {
  readonly #frame = document.createElement('iframe');
  readonly #gone = new AbortController();

  /** Whose call it answers. */
  constructor(caller: string) {
    this.#frame.src = `/demo.html#${encodeURIComponent(caller)}`;
    this.#frame.title = labels.demoLine;
    this.#frame.dataset.testid = 'demo-frame';
    find('demo-lines').append(this.#frame);
  }

  /** Resolves when it can be called. */
  ready(limit: number): Promise<{ impu: string; name: string }> {
    return new Promise((resolve, reject) => {
      setTimeout(() => reject(new Problem('demo_line_unavailable')), limit);
      this.#hear(message => {
        if (message.state === 'online') resolve(message);
        if (message.state === 'failed') reject(new Problem(message.code));
      });
    });
  }

  /** Lets it leave the IMS and give its identity back; without a word from it, what it does when its page goes has to do. */
  close(): void {
    const remove = () => {
      this.#gone.abort();
      this.#frame.remove();
    };
    this.#hear(({ state }) => { if (state === 'closed') remove(); });
    setTimeout(remove, closeLimit);
    this.#frame.contentWindow?.postMessage('close', location.origin);
  }

  #hear(handle: (message: DemoMessage) => void): void {
    addEventListener('message', ({ source, origin, data }) => {
      if (source === this.#frame.contentWindow && origin === location.origin) handle(data as DemoMessage);
    }, { signal: this.#gone.signal });
  }
}
