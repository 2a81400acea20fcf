// werift: two peer connections for each case, which may use nothing but relays, and a data channel between them.
// CASES has a list of [name, transport, port, user, password].
import { RTCPeerConnection } from 'werift';

// werift also tells its host addresses.
function onlyRelays({ type, sdp }) {
  const relays = sdp.split('\r\n').filter(line => !line.startsWith('a=candidate:') || line.includes(' typ relay'));
  if (!relays.some(line => line.startsWith('a=candidate:'))) throw new Error('no relay was gathered');
  return { type, sdp: relays.join('\r\n') };
}

async function relay([name, transport, port, username, credential]) {
  const configuration = {
    iceServers: [{ urls: `turn:127.0.0.1:${port}`, username, credential }],
    iceTransportPolicy: 'relay',
    iceAdditionalHostAddresses: ['127.0.0.1'],
    forceTurnTCP: transport === 'tcp',
  };
  const [a, b] = [new RTCPeerConnection(configuration), new RTCPeerConnection(configuration)];
  const channel = a.createDataChannel('relayed');
  b.onDataChannel.subscribe(there => there.onMessage.subscribe(message => there.send(`back: ${message}`)));
  const answer = new Promise((resolve, reject) => {
    channel.stateChanged.subscribe(state => state === 'open' && channel.send('there'));
    channel.onMessage.subscribe(message => resolve(message.toString()));
    setTimeout(() => reject(new Error(`${name} over ${transport}: no answer`)), 20_000).unref();
  });
  await a.setLocalDescription(await a.createOffer());
  await b.setRemoteDescription(onlyRelays(a.localDescription));
  await b.setLocalDescription(await b.createAnswer());
  await a.setRemoteDescription(onlyRelays(b.localDescription));
  const received = await answer;
  if (received !== 'back: there') throw new Error(received);
  console.log(`${name} over ${transport}: relayed`);
}

await Promise.all(JSON.parse(process.env.CASES).map(relay));

// Closing takes seconds.
process.exit(0);
