import type { Api, Session } from './api.ts';
import { Problem } from './problem.ts';

/** Whether this browser can, on this address: a passkey belongs to a name, and not to an IP address. */
export function canUsePasskeys(hostName: string = location.hostname): boolean {
  const isAddress = /^[\d.]+$|:/.test(hostName);
  return !isAddress && 'PublicKeyCredential' in globalThis && 'parseCreationOptionsFromJSON' in PublicKeyCredential;
}

export async function logInWithPasskey(api: Api): Promise<Session> {
  const asked = await api.passkeyQuestion<PublicKeyCredentialRequestOptionsJSON>('session/passkey');
  return api.logInWithPasskey(await answer(() => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked) })));
}

export async function addPasskey(api: Api): Promise<void> {
  const asked = await api.passkeyQuestion<PublicKeyCredentialCreationOptionsJSON>('passkeys');
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
