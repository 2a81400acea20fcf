import type { Api, Session } from './api.ts';
import { Problem } from './problem.ts';

/** True if this browser can use passkeys on this address. A passkey belongs to a host name, not to an IP address. */
export function canUsePasskeys(hostName: string = location.hostname): boolean {
  const isAddress = /^[\d.]+$|:/.test(hostName);
  return !isAddress && 'PublicKeyCredential' in globalThis && 'parseCreationOptionsFromJSON' in PublicKeyCredential;
}

export async function logInWithPasskey(api: Api): Promise<Session> {
  const asked = await api.passkeyOptions<PublicKeyCredentialRequestOptionsJSON>('session/passkey');
  return api.logInWithPasskey(await answer(() => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked) })));
}

export async function addPasskey(api: Api): Promise<void> {
  const asked = await api.passkeyOptions<PublicKeyCredentialCreationOptionsJSON>('passkeys');
  await api.addPasskey(await answer(() => navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(asked) })));
}

async function answer(ask: () => Promise<Credential | null>): Promise<object> {
  try {
    return (await ask() as PublicKeyCredential).toJSON() as object;
  } catch (error) {
    const name = error instanceof DOMException ? error.name : '';
    throw new Problem(name === 'InvalidStateError' ? 'passkey_known' : 'passkey_cancelled', { detail: name });
  }
}
