import type { Problem } from './problem.ts';

/** Every sentence that the page says by itself, in one place. Labels that never change are in index.html. */

export const lanes: readonly { name: string; role: string }[] = [
  { name: 'You', role: 'user' },
  { name: 'Page', role: 'WIC' },
  { name: 'WWSF', role: 'web service' },
  { name: 'WAF', role: 'OAuth' },
  { name: 'TURN', role: 'relay' },
];

/** The eight steps of figure X.5.3.2-1 (3GPP TS 33.203): who does what, `from` and `to` as lanes of the ladder. */
export const steps: readonly { title: string; text: string; from: number; to: number }[] = [
  { from: 0, to: 1, title: 'You click Call', text: 'The browser opens the microphone' },
  { from: 1, to: 2, title: 'Page asks for a TURN token', text: 'POST /api/turn-token with your session' },
  { from: 2, to: 2, title: 'WWSF checks the user', text: 'Skipped for guests and valid sessions' },
  { from: 2, to: 3, title: 'WWSF asks the WAF', text: 'Client credentials; step 5 included' },
  { from: 3, to: 3, title: 'WAF makes key and token', text: 'Only TURN can open it (RFC 7635)' },
  { from: 2, to: 1, title: 'Both reach the page', text: 'No user name or password in them' },
  { from: 1, to: 1, title: 'The browser takes both', text: 'RTCPeerConnection, relay only' },
  { from: 1, to: 4, title: 'TURN allocates the relay', text: 'Token decrypted, key proved' },
];

export const stepStates: Record<string, string> = { pending: 'not started', active: 'in progress', done: 'done', failed: 'failed' };

export const notReported = 'time not reported';

export const status = {
  loading: 'Connecting to the web service…',
  signedOut: 'Choose how to continue',
  ready: 'Ready to call',
  media: 'Waiting for your microphone…',
  mediaVideo: 'Waiting for your microphone and camera…',
  authorising: 'Asking for permission to use the relay…',
  connecting: 'Connecting through the TURN server…',
  inCall: 'In call, relayed by TURN',
  interrupted: 'Connection interrupted, restoring it…',
  ended: 'Call ended',
  failed: 'Call failed',
};

export const labels = {
  guest: 'Guest',
  tryAgain: 'Try again',
  tryAgainIn: (seconds: number) => `Try again in ${seconds} s`,
  copied: 'Copied',
  copy: 'Copy',
  clickToMedia: (time: string) => `${time} from the click to the connected call`,
  failedAt: (step: number) => `Stopped at step ${step}.`,
  renewed: (times: number) => times === 0 ? 'not renewed yet' : times === 1 ? 'renewed once' : `renewed ${times} times`,
};

const problems: Record<string, readonly [title: string, text: string]> = {
  // Session
  login_failed: ['That did not work', 'User name or password is wrong. Check both and try again.'],
  not_signed_in: ['Please sign in first', 'Continue as guest or log in; the call then goes on by itself.'],
  session_expired: ['Your session has ended', 'Sign in again or continue as guest; the call then goes on by itself.'],
  antiforgery: ['The page is out of date', 'This page was open for too long to be trusted. Try again.'],
  rate_limited: ['Too many tries', 'You have asked very often in a short time. Wait a moment, then try again.'],

  // Services
  gateway_unavailable: ['No connection to the service', 'The page cannot reach the server that it came from. Check the network, then try again.'],
  wwsf_unavailable: ['The web service does not answer', 'The web service (WWSF) is down or starting. Try again in a few seconds.'],
  waf_unavailable: ['The authorization server does not answer', 'The web service cannot reach the authorization server (WAF), so there is no token for the relay. Try again in a few seconds.'],
  waf_refused: ['The authorization server refused', 'The authorization server (WAF) did not give the web service a token. An operator has to check the client registration of the WWSF.'],

  // TURN
  turn_unreachable: ['The TURN server does not answer', 'No relay could be set up: the TURN server is down, or a firewall blocks it. Try again, or choose another transport under Options.'],
  turn_401: ['The TURN server rejected the token', 'Token or key were not accepted (401). Usually the clocks or the keys of authorization server and TURN server differ.'],
  turn_403: ['The TURN server forbids this call', 'The server does not relay for this address (403).'],
  turn_486: ['Too many calls', 'This token has as many relays as it may have (486). Hang up another call, then try again.'],
  turn_508: ['The TURN server is full', 'The server has no relay address left (508). Try again in a minute.'],
  turn_refused: ['The TURN server refused', 'The TURN server answered with an error and gave no relay. Try again.'],
  no_media_path: ['No way through for the media', 'Both ends have a relay, but nothing gets from one to the other. The TURN server\'s peer policy or a firewall forbids it.'],
  transport_not_offered: ['Transport not available', 'The service offers no TURN server for this transport. Choose another one under Options.'],
  credentials_too_long: ['Token too long', 'The token does not fit into a TURN message. An operator has to choose a shorter key id.'],

  // Microphone and camera
  microphone_blocked: ['The microphone is blocked', 'Allow it with the icon beside the address, then try again, or call with a generated tone.'],
  microphone_missing: ['No microphone found', 'Connect one and try again, or call with a generated tone.'],
  microphone_busy: ['The microphone is in use', 'Another program holds it. Close that one and try again, or call with a generated tone.'],
  camera_blocked: ['Microphone or camera is blocked', 'Allow both with the icon beside the address, then try again, or call with generated sound and picture.'],
  camera_missing: ['No microphone or camera found', 'Connect them and try again, call without video, or use generated sound and picture.'],
  camera_busy: ['Microphone or camera is in use', 'Another program holds one of them. Close it and try again, or call with generated sound and picture.'],
  media_failed: ['The microphone did not start', 'Try again, or call with a generated tone.'],
  insecure_context: ['This address is not secure', 'Browsers give the microphone only to https pages and to localhost. You can call with a generated tone.'],

  // Call
  connection_interrupted: ['The connection is interrupted', 'Nothing comes through the TURN server at the moment. The page gets new credentials and tries again by itself.'],
  connection_lost: ['The call was lost', 'The connection through the TURN server broke and could not be restored within a minute.'],
};

/** Title and sentence for a problem; the server's own sentence where the code is not known here. */
export function textOf(problem: Problem): { title: string; text: string } {
  const [title, text] = problems[problem.code] ?? ['Something went wrong', problem.detail ?? 'Try again. If it happens again, give the trace id to the operator.'];
  return { title, text };
}

export function interruptedBy(problem: Problem): { title: string; text: string } {
  return { title: status.interrupted, text: textOf(problem).text };
}

/** Problems that a generated tone gets around. */
export function isMediaProblem(problem: Problem): boolean {
  return problem.step === 1;
}
