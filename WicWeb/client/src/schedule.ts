/** When to renew and how to say times. Pure functions; all times in seconds unless a name says otherwise. */

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
 * When the callee gets new TURN credentials, and how long it then leaves the ICE restart to the caller: so early that they are
 * there when the caller, who got its own before, restarts.
 */
export function calleeRenewal(expiresIn: number): { after: number; patience: number } {
  return { after: expiresIn * 0.6, patience: expiresIn * 0.3 };
}

/** Pause before try number `attempt` (0, 1, 2, …): 0.5, 1, 2, 4, then 8 s. */
export function backOff(attempt: number): number {
  return Math.min(8, 0.5 * 2 ** attempt);
}

/** 75 → "1:15", 3675 → "1:01:15". Never negative. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** 0.42 → "0.4 ms", 12.3 → "12 ms", 2345 → "2.3 s". */
export function duration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : `${Math.round(milliseconds)} ms`;
}
