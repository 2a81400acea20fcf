import { Problem } from './problem.ts';

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
