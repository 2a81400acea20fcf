// What the stacks need of a browser. There is no media: a description is text, and a connection is there at once.
import { WebSocket } from 'ws'

/** The direction of the media in a description. */
export const directionOf = (sdp) => /^a=(sendrecv|sendonly|recvonly|inactive)\r?$/m.exec(sdp)?.[1] ?? 'sendrecv'

const answers = { sendrecv: 'sendrecv', sendonly: 'recvonly', recvonly: 'sendonly', inactive: 'inactive' }

/** A description, or the answer to one. */
export const describe = (direction, offer) => [
  'v=0', `o=- ${Math.floor(Math.random() * 1e9)} 2 IN IP4 127.0.0.1`, 's=-', 't=0 0', 'm=audio 9 UDP/TLS/RTP/SAVPF 0',
  'c=IN IP4 0.0.0.0', 'a=rtpmap:0 PCMU/8000', 'a=ice-ufrag:abcd', 'a=ice-pwd:0123456789abcdefghijkl',
  `a=${offer ? answers[directionOf(offer)] : direction}`, ''].join('\r\n')

class PeerConnection extends EventTarget {
  iceGatheringState = 'complete'
  iceConnectionState = 'connected'
  signalingState = 'stable'
  localDescription = null
  remoteDescription = null

  addTrack() {}
  getSenders() { return [] }
  getReceivers() { return [] }
  async createOffer() { return { type: 'offer', sdp: describe('sendrecv') } }
  async createAnswer() { return { type: 'answer', sdp: describe('', this.remoteDescription.sdp) } }

  async setLocalDescription(description) {
    this.localDescription = description
    this.signalingState = description.type === 'offer' ? 'have-local-offer' : 'stable'
  }

  async setRemoteDescription(description) {
    this.remoteDescription = description
    this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable'
  }

  close() {
    this.signalingState = 'closed'
  }
}

export class MediaStream {
  getTracks() { return [] }
  getAudioTracks() { return [] }
  getVideoTracks() { return [] }
}

class Description {
  constructor({ type, sdp }) {
    Object.assign(this, { type, sdp })
  }
}

Object.assign(globalThis, {
  window: globalThis,
  WebSocket,
  RTCPeerConnection: PeerConnection,
  RTCSessionDescription: Description,
  addEventListener() {},
  removeEventListener() {},
})
