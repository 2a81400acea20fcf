/** How long a call rings before it is given up, in seconds. The caller says so in its INVITE (Expires, RFC 3261 §13.3.1). */
export const ringLimit = 60;

/** The callee and the network get this much longer to end an unanswered call themselves, so that both sides read the same reason. */
const reserve = 2;

/** How long a call has been ringing and will still ring, in whole seconds, and whether it has to be given up. */
export function ringTime(since: number, now: number): { passed: number; left: number; isOver: boolean } {
  const passed = Math.max(0, (now - since) / 1000);
  return { passed: Math.floor(passed), left: Math.max(0, Math.ceil(ringLimit - passed)), isOver: passed > ringLimit + reserve };
}
