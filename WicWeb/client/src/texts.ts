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
  { from: 0, to: 1, title: 'You call or accept', text: 'The browser opens the microphone' },
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
  demoLine: 'The demo line is going online…',
  media: 'Waiting for your microphone…',
  mediaVideo: 'Waiting for your microphone and camera…',
  authorising: 'Asking for permission to use the relay…',
  connecting: 'Connecting through the TURN server…',
  incoming: 'Incoming call',
  calling: 'Calling…',
  ringing: 'Ringing…',
  inCall: 'In call, relayed by TURN',
  inCallDirect: 'In call, on a direct path',
  heldHere: 'On hold',
  heldThere: 'The other side holds the call',
  interrupted: 'Connection interrupted, restoring it…',
  ended: 'Call ended',
  failed: 'Call failed',
};

export const online = {
  offline: 'Offline',
  connecting: 'Going online…',
  online: 'Online',
  reconnecting: 'Connection lost, reconnecting…',
};

export const checks = {
  microphone: 'Microphone',
  signalling: 'WebSocket to the IMS',
  token: 'Permission for the relay',
  udp: 'TURN over UDP',
  tcp: 'TURN over TCP',
  tls: 'TURN over TLS',
};

export const labels = {
  call: 'Call',
  testCall: 'Test call',
  callPerson: (name: string) => `Call ${name}`,
  calls: 'calls you',
  callsWithVideo: 'calls you with video',
  anonymous: 'Somebody anonymous',
  missed: (name: string) => `Missed call from ${name}`,
  withPerson: (text: string, name: string) => `${text.replace(/…$/, '')} · ${name}`,
  farEnd: 'Far end',
  echo: 'echo',
  farRelay: 'far end\'s way',
  demoLine: 'Demo line',
  demoLineOf: (name: string) => `Demo line, ${name}`,
  key: (key: string) => ({ '*': 'Star', '#': 'Hash' })[key] ?? key,
  checking: 'checking…',
  notOffered: 'the service does not offer it',
  works: (time: string) => `works, ${time}`,
  standardDevice: 'Standard',
  device: (number: number) => `Device ${number}`,
  diagnosticsCopied: 'Diagnostics copied',
  copyDiagnostics: 'Copy diagnostics',
  titleIncoming: (name: string) => `${name} calls`,
  clickToRelay: (time: string) => `${time} from the click to the relay`,
  guest: 'Guest',
  externalLogin: (provider: string) => `Log in with ${provider}`,
  passkeyAdded: 'Passkey added. Next time, choose “Log in with a passkey”.',
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
  locked_out: ['Too many wrong passwords', 'After several wrong passwords this name is locked for a few minutes. Wait, or log in with a passkey.'],
  passkey_failed: ['That passkey did not work', 'Nobody here has this passkey, or it took too long. Try again, or log in with the password.'],
  passkey_cancelled: ['No passkey was used', 'You cancelled, this device has no passkey for this service, or it took too long. Log in with the password, then add one.'],
  passkey_known: ['This device has a passkey already', 'Your account already knows it: choose “Log in with a passkey” next time.'],
  passkey_not_added: ['The passkey was not added', 'The browser\'s answer does not fit what was asked, or it took too long. Try again.'],
  passkey_needs_user: ['Guests have no passkey', 'Log in with a user name and password first; then you can add a passkey.'],
  too_many_passkeys: ['Enough passkeys', 'Your account has as many passkeys as it may have. Log in with one of them.'],
  passkey_of_provider: ['Your passkey belongs elsewhere', 'You log in at another service. Add the passkey there; it then counts here, too.'],
  external_unavailable: ['The log-in service does not answer', 'The service that you log in at cannot be reached. Try again in a minute, or log in another way.'],
  external_denied: ['You are not logged in', 'The log-in was cancelled, or the other service did not allow it. Try again, or log in another way.'],
  external_failed: ['That log-in did not work', 'It took too long, or the other service\'s answer was not accepted. Try again; if it stays so, tell the operator.'],
  external_locked: ['Your account is locked', 'The operator has locked your account here. Ask the operator to open it, or continue as guest.'],
  external_name_missing: ['No user name', 'The other service did not tell a user name that can be used here. Ask the operator of this service.'],
  external_name_taken: ['Your user name is taken', 'Somebody else here has the user name that the other service tells. Ask the operator of this service.'],
  external_identity_invalid: ['No usable phone identity', 'The phone identity that the other service tells does not belong to this network. Ask the operator of this service.'],
  external_identity_taken: ['Your phone identity is taken', 'The phone identity that the other service tells is somebody else\'s here. Ask the operator of this service.'],
  not_signed_in: ['Please sign in first', 'Continue as guest or log in; the call then goes on by itself.'],
  session_expired: ['Your session has ended', 'Sign in again or continue as guest; the call then goes on by itself.'],
  antiforgery: ['The page is out of date', 'This page was open for too long to be trusted. Try again.'],
  rate_limited: ['Too many tries', 'You have asked very often in a short time. Wait a moment, then try again.'],

  // Services
  gateway_unavailable: ['No connection to the service', 'The page cannot reach the server that it came from. Check the network, then try again.'],
  wwsf_unavailable: ['The web service does not answer', 'The web service (WWSF) is down or starting. Try again in a few seconds.'],
  waf_unavailable: ['The authorization server does not answer', 'The web service cannot reach the authorization server (WAF), so there is no token for you. Try again in a few seconds.'],
  waf_refused: ['The authorization server refused', 'The authorization server (WAF) did not give the web service a token. An operator has to check the client registration of the WWSF.'],

  // IMS
  ims_unavailable: ['The IMS does not answer', 'The page has no connection to the call server (eP-CSCF). It tries again by itself.'],
  ims_overloaded: ['The IMS is busy', 'The call server (eP-CSCF) has too much to do. Try again in a few seconds.'],
  registration_failed: ['Not registered', 'The call server (eP-CSCF) did not register this page. It tries again by itself.'],
  registration_forbidden: ['Registration refused', 'The call server (eP-CSCF) does not admit this identity here. An operator has to check the subscription.'],
  no_free_identity: ['All guest lines are in use', 'Try again in a minute, or log in.'],
  too_many_guests: ['Too many guests from your network', 'Your network has as many guests as it may have. Try again in a minute, or log in.'],
  leases_unavailable: ['No guest line at the moment', 'The web service cannot look up which guest lines are free. Try again in a few seconds, or log in.'],
  no_subscription: ['No subscription', 'Your user has no identity in the IMS. An operator has to give it one.'],
  not_authorised: ['Not authorised to call', 'The call server did not accept this page\'s token. Go offline and online again.'],
  call_forbidden: ['This call is not allowed', 'You may not call from this identity. Check that you are online, then try again.'],
  nobody_there: ['Nobody has this address', 'Check the name or the address, then try again.'],
  not_online: ['Not online', 'Nobody is online under this address at the moment.'],
  no_answer: ['No answer', 'It rang, but nobody answered.'],
  busy: ['Busy', 'The other side is busy or does not want to talk now.'],
  declined: ['Declined', 'The other side does not want to talk now.'],
  cancelled: ['Cancelled', 'The call ended before it was answered.'],
  no_common_format: ['No common format', 'The two browsers share no format for sound or picture.'],
  call_failed: ['The call failed', 'The other side or the network ended it with an error. Try again.'],
  address_invalid: ['That is no address', 'Write a name such as bob, or an address such as sip:bob@example.org.'],
  negotiating: ['One moment', 'The call is being changed already. Try again in a second.'],
  not_registered: ['You are not online', 'Go online first; then you can call and be called.'],
  demo_line_unavailable: ['The demo line does not answer', 'It could not go online. Try again in a few seconds.'],
  turn_not_tried: ['Not tried', 'Without permission for the relay there is nothing to try.'],

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
