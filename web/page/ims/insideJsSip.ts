import type { RTCSession } from 'jssip/lib/RTCSession';
import RequestSender from 'jssip/lib/RequestSender.js';
import type { Dialogue } from './negotiation.ts';

/** The parts of JsSIP 3.13.8 that this page uses without a type. */
interface Inside {
  _ua: object;
  _dialog?: { _createRequest(method: string, headers: string[], body: string): object; uac_pending_reply: boolean };
  _contact: string;
  _iceReady: boolean;
  _localHold: boolean;
  _mangleOffer(sdp: string): string;
  sendRequest(method: string): void;
  _onhold(originator: string): void;
  _onunhold(originator: string): void;
}

const inside = (session: RTCSession) => session as unknown as Inside;

/**
 * Changes a session of JsSIP in two points. It does not end a call whose path is lost, because the path may heal. And it does not wait
 * for candidates: `describeWithCandidates` does, also after an ICE restart, for which JsSIP waits for ever.
 */
export function leaveToPage(session: RTCSession): void {
  inside(session)._iceReady = true;
  const terminate = session.terminate.bind(session);
  session.terminate = options => {
    if (options?.cause !== 'RTP Timeout') terminate(options);
  };
}

/** Marks the session as held by this side or not. The next offer says so. */
export function markHeld(session: RTCSession, on: boolean): void {
  inside(session)._localHold = on;
}

/** Mutes or unmutes what a hold concerns and reports the event. JsSIP would do so before the other side has agreed. */
export function reportHeld(session: RTCSession): void {
  const { local } = session.isOnHold();
  if (local) inside(session)._onhold('local');
  else inside(session)._onunhold('local');
}

/**
 * The re-INVITEs of a session. JsSIP's own `renegotiate` and `hold` end the call when one fails, and answer a 491 with the same offer
 * after one second.
 */
export function dialogueOf(session: RTCSession, isOwner: boolean, headers: () => string[]): Dialogue {
  const connection = session.connection;
  return {
    isOwner,
    isReady: () => session.isEstablished() && session.isReadyToReOffer() && connection.signalingState === 'stable',
    async offer() {
      await connection.setLocalDescription();
      return inside(session)._mangleOffer(connection.localDescription!.sdp);
    },
    send: sdp => sendInvite(session, headers(), sdp),
    accept: sdp => connection.setRemoteDescription({ type: 'answer', sdp }),
    async rollBack() {
      if (connection.signalingState === 'have-local-offer') await connection.setLocalDescription({ type: 'rollback' });
    },
  };
}

function sendInvite(session: RTCSession, headers: string[], sdp: string): Promise<{ status: number | undefined; sdp: string }> {
  const { _dialog: dialog, _ua: agent, _contact: contact } = inside(session);
  if (!dialog) return Promise.resolve({ status: undefined, sdp: '' });
  const request = dialog._createRequest('INVITE', [...headers, `Contact: ${contact}`, 'Content-Type: application/sdp'], sdp);
  dialog.uac_pending_reply = true;
  return new Promise(resolve => {
    const settle = (status: number | undefined, body = '') => {
      dialog.uac_pending_reply = false;
      resolve({ status, sdp: body });
    };
    new RequestSender(agent, request, {
      onReceiveResponse: response => {
        if (response.status_code < 200) return;
        // Also for each retransmission of the 2xx (RFC 3261 §13.2.2.4).
        if (response.status_code < 300 && !session.isEnded()) inside(session).sendRequest('ACK');
        settle(response.status_code, response.body);
      },
      onRequestTimeout: () => settle(undefined),
      onTransportError: () => settle(undefined),
    }).send();
  });
}
