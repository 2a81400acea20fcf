import type { Leg, LegEvents } from './leg.ts';
import { mediaFlows, receiveMedia, replaceTrack, samplePath, sendPicture, watchPicture, watchState } from './connection.ts';
import { stop } from './media.ts';
import type { PathSample } from './pathWatch.ts';
import { relayGathered } from './turn.ts';

/**
 * A call to a second peer connection in the same page, which echoes the media. Both ends use only the relay. So everything crosses
 * the TURN server twice in each direction, and the near end's statistics describe the whole path.
 */
export class LoopCall implements Leg {
  readonly #near: RTCPeerConnection;
  readonly #far: RTCPeerConnection;
  readonly #microphone: MediaStream;
  readonly #closed = new AbortController();

  constructor(microphone: MediaStream, configuration: RTCConfiguration, events: LegEvents) {
    this.#microphone = microphone;
    this.#near = new RTCPeerConnection(configuration);
    this.#far = new RTCPeerConnection(configuration);
    forwardCandidates(this.#near, this.#far);
    forwardCandidates(this.#far, this.#near);

    receiveMedia(this.#near, stream => events.onmedia(stream));
    this.#far.addEventListener('track', ({ transceiver, track }) => {
      transceiver.direction = 'sendrecv';
      void transceiver.sender.replaceTrack(track);
    });
    for (const end of [this.#near, this.#far]) watchState(end, () => events.onpath());
    watchPicture(this.#near, video => events.onvideo(video));
    for (const track of microphone.getTracks()) this.#near.addTrack(track, microphone);
  }

  /**
   * Gathers on both ends and connects. `onoffered` is called when the browser has taken the credentials, `onrelayed` with the
   * near end's relay candidate when both ends have one.
   */
  async connect(onoffered: () => void, onrelayed: (candidate: RTCIceCandidate) => void): Promise<void> {
    const relayed = this.#relayed();
    await this.#negotiate();
    onoffered();
    onrelayed(await relayed);
    await mediaFlows([this.#near, this.#far], this.#closed.signal);
  }

  useConfiguration(configuration: RTCConfiguration): void {
    for (const end of [this.#near, this.#far]) end.setConfiguration(configuration);
  }

  /** An ICE restart on both ends: the media moves to new allocations without a gap. */
  async restart(): Promise<void> {
    this.#near.restartIce();
    const relayed = this.#relayed();
    await this.#negotiate();
    await relayed;
  }

  sample(): Promise<PathSample> {
    return samplePath(this.#near);
  }

  async statistics(): Promise<RTCStatsReport> {
    return this.#near.getStats();
  }

  mute(muted: boolean): void {
    for (const track of this.#microphone.getAudioTracks()) track.enabled = !muted;
  }

  async turnCamera(track: MediaStreamTrack | undefined): Promise<void> {
    await sendPicture(this.#near, this.#microphone, track);
    const echo = this.#far.getTransceivers().find(({ receiver }) => receiver.track.kind === 'video');
    if (echo) echo.direction = track ? 'sendrecv' : 'inactive';
    await this.#negotiate();
  }

  replace(track: MediaStreamTrack): Promise<void> {
    return replaceTrack(this.#near, this.#microphone, track);
  }

  close(): void {
    this.#closed.abort();
    this.#near.close();
    this.#far.close();
    stop(this.#microphone);
  }

  #relayed(): Promise<RTCIceCandidate> {
    const ends = [this.#near, this.#far].map(end => relayGathered(end, this.#closed.signal));
    const near = Promise.all(ends).then(([candidate]) => candidate!);
    // Awaited only after the negotiation. A failure before that must not count as unhandled.
    near.catch(() => {});
    return near;
  }

  async #negotiate(): Promise<void> {
    await this.#near.setLocalDescription();
    await this.#far.setRemoteDescription(this.#near.localDescription!);
    await this.#far.setLocalDescription();
    await this.#near.setRemoteDescription(this.#far.localDescription!);
  }
}

function forwardCandidates(from: RTCPeerConnection, to: RTCPeerConnection): void {
  from.addEventListener('icecandidate', ({ candidate }) => {
    // A candidate of an older negotiation is useless. The watchdogs notice if none arrives.
    if (candidate) to.addIceCandidate(candidate).catch(() => {});
  });
}
