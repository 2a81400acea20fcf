import type { PathSample } from './pathWatch.ts';
import { Problem } from './problem.ts';
import { packetsArrived, relayOnPath } from './statistics.ts';

const connectLimit = 10_000;

/** Calls `changed` whenever a connection, or its ICE part, changes its state. */
export function watchState(connection: RTCPeerConnection, changed: () => void, signal?: AbortSignal): void {
  for (const event of ['connectionstatechange', 'iceconnectionstatechange']) connection.addEventListener(event, changed, signal ? { signal } : {});
}

export function isConnected(connection: RTCPeerConnection): boolean {
  return connection.connectionState === 'connected' && ['connected', 'completed'].includes(connection.iceConnectionState);
}

/** Resolves when media can flow through all the connections. */
export function mediaFlows(connections: RTCPeerConnection[], closed: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const settle = (then: () => void) => {
      over.abort();
      clearTimeout(limit);
      then();
    };
    const check = () => {
      if (connections.every(isConnected)) settle(resolve);
    };
    const limit = setTimeout(() => settle(() => reject(new Problem('no_media_path', { step: 8 }))), connectLimit);
    closed.addEventListener('abort', () => settle(() => reject(closed.reason as Error)), { signal: over.signal });
    for (const connection of connections) watchState(connection, check, over.signal);
    check();
  });
}

/** Collects the tracks that come from the far end in one stream. */
export function receiveMedia(connection: RTCPeerConnection, onmedia: (stream: MediaStream) => void): void {
  const received = new MediaStream();
  connection.addEventListener('track', ({ track }) => {
    received.addTrack(track);
    onmedia(received);
  });
}

/** Sends another track of the same kind, and keeps it as the one to stop. */
export async function replaceTrack(connection: RTCPeerConnection | undefined, media: MediaStream, track: MediaStreamTrack): Promise<void> {
  const sender = connection?.getSenders().find(each => each.track?.kind === track.kind);
  const before = sender?.track;
  track.enabled = before?.enabled ?? true;
  await sender?.replaceTrack(track);
  if (!before) return;
  media.removeTrack(before);
  before.stop();
  media.addTrack(track);
}

/** The transceiver that carries the picture, if one was negotiated or is about to be. */
function pictureOf(connection: RTCPeerConnection): RTCRtpTransceiver | undefined {
  return connection.getTransceivers().find(({ receiver, direction }) => receiver.track.kind === 'video' && direction !== 'stopped');
}

/** Sends a picture from the next negotiation on, or none. `media` keeps the track, which is stopped with it. */
export async function sendPicture(connection: RTCPeerConnection, media: MediaStream, track: MediaStreamTrack | undefined): Promise<void> {
  const picture = pictureOf(connection);
  for (const other of media.getVideoTracks().filter(each => each !== track)) {
    media.removeTrack(other);
    other.stop();
  }
  if (track && !media.getVideoTracks().includes(track)) media.addTrack(track);
  if (!picture) {
    if (track) connection.addTransceiver(track, { direction: 'sendrecv', streams: [media] });
    return;
  }
  await picture.sender.replaceTrack(track ?? null);
  picture.direction = track ? 'sendrecv' : 'recvonly';
}

/** Which side sends a picture, by the last negotiation. */
export function pictures(connection: RTCPeerConnection): { here: boolean; there: boolean } {
  const picture = pictureOf(connection);
  const direction = picture?.currentDirection ?? '';
  return { here: /^send/.test(direction) && picture?.sender.track?.readyState === 'live', there: /recv/.test(direction) };
}

/** Reports which side sends a picture, after each negotiation. */
export function watchPicture(connection: RTCPeerConnection, onvideo: (video: { here: boolean; there: boolean }) => void): void {
  connection.addEventListener('signalingstatechange', () => {
    if (connection.signalingState === 'stable') onvideo(pictures(connection));
  });
}

/** What a connection receives at the moment. */
export async function samplePath(connection: RTCPeerConnection): Promise<PathSample> {
  const isExpected = connection.getTransceivers().some(({ currentDirection }) => currentDirection?.includes('recv'));
  const isBroken = connection.connectionState === 'failed' || ['disconnected', 'failed'].includes(connection.iceConnectionState);
  const report = await connection.getStats();
  return {
    packets: packetsArrived(report.values()),
    isExpected,
    state: isBroken ? 'broken' : isConnected(connection) ? 'connected' : 'unknown',
    relay: relayOnPath(report.values()),
  };
}
