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

/** The part before the @, without the scheme: a name for a person of whom nothing else is known. */
export function shortName(impu: string): string {
  return impu.replace(/^[a-z]+:/i, '').replace(/[@;].*$/, '');
}

/** The caller, from P-Asserted-Identity, which only the eP-CSCF can set (RFC 3325). */
export function callerOf(asserted: string | undefined, anonymous: string): Person {
  const [, quoted, token, uri] = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<([^>]+)>/.exec(asserted ?? '') ?? [];
  const impu = uri ?? (/^\s*((?:sips?|tel):[^;,\s]+)/i.exec(asserted ?? '')?.[1]);
  if (!impu) return { name: anonymous, impu: undefined };
  return { name: quoted?.replace(/\\(.)/g, '$1') || token || shortName(impu), impu };
}
