/** When to renew. Pure functions; times in seconds. */

const shortLifetime = 120;
const margin = 60;

/**
 * How long after its receipt a token is renewed: the larger of 60 s and 20 % before its end, for short tokens 20 %.
 * Up to a tenth of that margin earlier, so that pages that started together do not renew together (`random` in 0..1).
 */
export function renewAfter(expiresIn: number, random = 0): number {
  const share = expiresIn * 0.2;
  const lead = expiresIn <= shortLifetime ? share : Math.max(margin, share);
  return Math.max(0, expiresIn - lead * (1 + 0.1 * random));
}

/**
 * When the callee gets new TURN credentials, and how long it then waits for the caller's ICE restart. The callee is earlier than
 * the caller, so it has its credentials when the caller restarts.
 */
export function calleeRenewal(expiresIn: number): { after: number; patience: number } {
  return { after: expiresIn * 0.6, patience: expiresIn * 0.3 };
}

/** Pause before try number `attempt` (0, 1, 2, …): 0.5, 1, 2, 4, then 8 s. */
export function backOff(attempt: number): number {
  return Math.min(8, 0.5 * 2 ** attempt);
}
