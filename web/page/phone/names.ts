import { addressOf, isSameAddress, readableName, shortName } from '../ims/addresses.ts';

/** The names of the people that this page has heard of: from the directory, and from the identities that the network asserts. */
export class Names {
  readonly #names = new Map<string, string>();

  learn(impu: string, name: string): void {
    this.#names.set(impu, name);
  }

  of(impu: string): string {
    return this.#names.get(impu) ?? readableName(impu);
  }

  /** The address that a person means who types a name ("Bob", "guest 13") or an address; undefined if it cannot be one. */
  find(text: string, realm: string): string | undefined {
    const typed = text.trim().toLowerCase();
    for (const [impu, name] of this.#names) {
      if (name.toLowerCase() === typed || shortName(impu).toLowerCase() === typed) return impu;
    }
    // A full address is left as it is. Names of this domain are in lower case, and phones begin with a capital letter.
    const address = addressOf(/[@:]/.test(typed) ? text : typed, realm);
    return address && ([...this.#names.keys()].find(impu => isSameAddress(impu, address)) ?? address);
  }
}
