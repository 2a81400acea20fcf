import { DemoLine } from './demoLine.ts';

const limit = 10_000;

/** The demo line of a call: opened before it, and closed after it or when the user gives up. */
export class DemoCalls {
  #line: DemoLine | undefined;
  #isOpening = false;

  get isOpening(): boolean {
    return this.#isOpening;
  }

  /** The address and the name of the demo line when it can be called; undefined if it was closed meanwhile. */
  async open(caller: string): Promise<{ impu: string; name: string } | undefined> {
    const line = this.#line = new DemoLine(caller);
    this.#isOpening = true;
    try {
      const ready = await line.ready(limit);
      if (this.#line !== line) return undefined;
      this.#isOpening = false;
      return ready;
    } catch (thrown) {
      if (this.#line !== line) return undefined;
      this.close();
      throw thrown;
    }
  }

  close(): void {
    this.#isOpening = false;
    this.#line?.close();
    this.#line = undefined;
  }
}
