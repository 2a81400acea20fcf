// A minimal softphone on SIP.js. The test controls it through window.peer.
import { Inviter, Registerer, RegistererState, SessionState, UserAgent } from './sip.js/lib/index.js';

let agent;
let registration;
let token;
let session;
let incoming;
let lastRefusal = 0;

async function wwsf(path) {
  const { antiforgery_token } = await (await fetch('/api/session')).json();
  const response = await fetch(path, { method: 'POST', headers: { 'X-XSRF-TOKEN': antiforgery_token } });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

const bearer = () => [`Authorization: Bearer access_token="${token.access_token}"`];

function follow(call) {
  session = call;
  session.stateChange.addListener(state => {
    if (state !== SessionState.Established) return;
    document.querySelector('video').srcObject = session.sessionDescriptionHandler.remoteMediaStream;
  });
}

const connection = () => session.sessionDescriptionHandler.peerConnection;

async function until(condition, what) {
  for (const end = Date.now() + 15_000; !condition();) {
    if (Date.now() > end) throw new Error(`not ${what} in time`);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

window.peer = {
  /** Registers as a guest. */
  async goOnline() {
    await wwsf('/api/session/anonymous');
    token = await wwsf('/api/ims-token');
    const { ice_servers } = await wwsf('/api/turn-token');
    agent = new UserAgent({
      uri: UserAgent.makeURI(token.impu),
      displayName: token.display_name ?? '',
      logLevel: 'error',
      transportOptions: { server: `${location.origin.replace('http', 'ws')}${token.websocket_path}` },
      sessionDescriptionHandlerFactoryOptions: {
        iceGatheringTimeout: 2000,
        peerConnectionConfiguration: { iceServers: ice_servers, iceTransportPolicy: 'relay' },
      },
      delegate: { onInvite(invitation) { incoming = invitation; follow(invitation); } },
    });
    await agent.start();
    registration = new Registerer(agent, { extraHeaders: bearer() });
    registration.register();
    await until(() => registration.state === RegistererState.Registered, 'registered');
    return token.impu;
  },

  call(impu) {
    const inviter = new Inviter(agent, UserAgent.makeURI(impu), {
      extraHeaders: bearer(),
      sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } },
    });
    lastRefusal = 0;
    follow(inviter);
    return inviter.invite({ requestDelegate: { onReject: response => { lastRefusal = response.message.statusCode; } } });
  },

  async ringing() {
    await until(() => incoming?.state === SessionState.Initial, 'called');
    return incoming.request.getHeader('P-Asserted-Identity') ?? '';
  },

  accept: () => incoming.accept({ sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } } }),
  reject: statusCode => incoming.reject({ statusCode }),
  cancel: () => session.cancel(),
  hangUp: () => session.bye(),
  established: () => until(() => session.state === SessionState.Established, 'established'),
  ended: () => until(() => session.state === SessionState.Terminated, 'ended'),
  tones: keys => session.sessionDescriptionHandler.sendDtmf(keys, { duration: 200 }),

  mute(isMuted) {
    for (const sender of connection().getSenders()) if (sender.track) sender.track.enabled = !isMuted;
  },

  async hold(isHeld) {
    // SIP.js does not send a re-INVITE before the ACK of the other side's re-INVITE has arrived (RFC 3261 §14.1).
    await until(() => !session.dialog.reinviteUserAgentServer, 'acknowledged');
    await session.invite({ sessionDescriptionHandlerOptions: { hold: isHeld } });
    await until(() => connection().signalingState === 'stable' && connection().getTransceivers()[0].currentDirection === (isHeld ? 'sendonly' : 'sendrecv'), isHeld ? 'held' : 'resumed');
  },

  direction: () => connection().getTransceivers()[0].currentDirection,

  async refused() {
    await until(() => lastRefusal > 0, 'refused');
    return lastRefusal;
  },

  /** Candidate types of the pair in use, and the counts of received and sent packets. */
  async figures() {
    const figures = { local: '', remote: '', received: 0, sent: 0 };
    const report = await connection().getStats();
    for (const entry of report.values()) {
      if (entry.type === 'inbound-rtp') figures.received += entry.packetsReceived;
      if (entry.type === 'outbound-rtp') figures.sent += entry.packetsSent;
      if (entry.type !== 'transport' || !entry.selectedCandidatePairId) continue;
      const pair = report.get(entry.selectedCandidatePairId);
      figures.local = report.get(pair.localCandidateId).candidateType;
      figures.remote = report.get(pair.remoteCandidateId).candidateType;
    }
    return figures;
  },
};
document.body.dataset.ready = 'true';
