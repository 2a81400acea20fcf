/** A link that opens the page with a person's name dialled: `/?call=bob`. Nothing is called without a click. */

const parameter = 'call';

// The user part of an address of this domain: letters and digits in words. It becomes part of a SIP URI and of a sentence of the page.
const user = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/i;

export function invitationTo(impu: string, origin: string): string | undefined {
  const name = impu.replace(/^sip:/, '').replace(/@.*$/, '');
  return user.test(name) ? `${origin}/?${parameter}=${encodeURIComponent(name)}` : undefined;
}

/** The user that the page's address asks to call; undefined if it asks for none, for several, or for something else than a user. */
export function invitedUser(search: string): string | undefined {
  const [name, ...others] = new URLSearchParams(search).getAll(parameter);
  return name !== undefined && others.length === 0 && user.test(name) ? name.toLowerCase() : undefined;
}

/** Whether another device can open an address of this host. */
export function isOnlyHere(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127\./.test(hostname);
}
