const silentFor = 1_500;
const quietWhenOffline = 200;
const hostLimit = 1_000;

/**
 * Whether this device has no network that the browser uses for calls. It waits a moment, because a relay candidate (`hasRelay`) answers
 * the question, and then gathers host candidates, for which no server is needed. Chromium uses the loopback interface only when started
 * with --allow-loopback-in-peer-connection.
 */
export async function isWithoutNetwork(hasRelay: () => boolean, isOnline = navigator.onLine, gathersHost = gathersHostCandidate): Promise<boolean> {
  await new Promise(resolve => setTimeout(resolve, isOnline ? silentFor : quietWhenOffline));
  return !hasRelay() && !await gathersHost(hostLimit) && !hasRelay();
}

function gathersHostCandidate(limit: number): Promise<boolean> {
  const connection = new RTCPeerConnection();
  return new Promise<boolean>(resolve => {
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate?.candidate) resolve(true);
    });
    setTimeout(() => resolve(false), limit);
    connection.createDataChannel('network');
    connection.setLocalDescription().catch(() => resolve(true));
  }).finally(() => connection.close());
}
