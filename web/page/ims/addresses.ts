/** Public user identities (IMPU) as people write and read them. */

export interface Person {
  name: string;
  /** Undefined for an anonymous caller. */
  impu: string | undefined;
}

/** "bob", "bob@home.example" or "sip:bob@home.example" as a SIP URI; undefined if the text cannot be one. */
export function addressOf(text: string, realm: string): string | undefined {
  const [, user, host] = /^(?:sips?:)?([\w.!~*'()&=+$,;?/%-]+)(?:@([\w.-]+))?$/i.exec(text.trim()) ?? [];
  return user && `sip:${user}@${host ?? realm}`;
}

/** The part before the @, without the scheme. */
export function shortName(impu: string): string {
  return impu.replace(/^[a-z]+:/i, '').replace(/[@;].*$/, '');
}

/** A name for a person of whom only the address is known: "sip:guest-13@home.example" is "Guest 13", "bob" is "Bob". */
export function readableName(impu: string): string {
  const words = shortName(impu).split(/[-._]+/).filter(word => word !== '');
  return words.map(word => word[0]!.toUpperCase() + word.slice(1)).join(' ') || impu;
}

/** Whether two addresses are the same identity. Only the domain ignores case (RFC 3261 §19.1.4). */
export function isSameAddress(one: string, other: string): boolean {
  const parts = (address: string) => /^(?:sips?:)?([^@;]*)(?:@([^;?]*))?/i.exec(address)!;
  const [first, second] = [parts(one), parts(other)];
  return first[1] === second[1] && first[2]?.toLowerCase() === second[2]?.toLowerCase();
}

/** The caller, from P-Asserted-Identity, which only the eP-CSCF can set (RFC 3325). */
export function callerOf(asserted: string | undefined, anonymous: string): Person {
  const [, quoted, token, uri] = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<([^>]+)>/.exec(asserted ?? '') ?? [];
  const impu = uri ?? (/^\s*((?:sips?|tel):[^;,\s]+)/i.exec(asserted ?? '')?.[1]);
  if (!impu) return { name: anonymous, impu: undefined };
  return { name: quoted?.replace(/\\(.)/g, '$1') || token || readableName(impu), impu };
}

/** Whether an offer has a picture. A section with port 0 is rejected, unless it only exists in the bundle (RFC 8843 §6). */
export function offersVideo(sdp: string): boolean {
  return sdp.split(/\r?\nm=/).some(section => section.startsWith('video ') && (!section.startsWith('video 0 ') || /^a=bundle-only\r?$/m.test(section)));
}
