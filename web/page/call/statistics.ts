/** The media path's figures, summed over audio and video. Times in milliseconds, undefined while not measured. */
export interface MediaStatistics {
  packetsSent: number;
  packetsReceived: number;
  packetsLost: number;
  bytesSent: number;
  bytesReceived: number;
  jitter: number | undefined;
  roundTripTime: number | undefined;
  codecs: string[];
  local: Candidate | undefined;
  remote: Candidate | undefined;
}
export interface Candidate {
  type: string;
  /** address:port of the candidate: for a relay candidate the transport address on the TURN server. */
  address: string;
  /** Transport between the browser and the TURN server: udp, tcp or tls. Local relay candidates only. */
  relayProtocol: string | undefined;
}

interface Entry { id: string; type: string; [member: string]: unknown }

/** Reads a `getStats()` report (any iterable of its entries). */
export function summarise(report: Iterable<Entry>): MediaStatistics {
  const entries = [...report];
  const byId = new Map(entries.map(entry => [entry.id, entry]));
  const ofType = (type: string) => entries.filter(entry => entry.type === type);
  const [sent, received] = [ofType('outbound-rtp'), ofType('inbound-rtp')];

  const transport = ofType('transport').find(entry => entry.selectedCandidatePairId);
  const pair = byId.get(String(transport?.selectedCandidatePairId));
  const roundTrip = pair?.currentRoundTripTime as number | undefined;
  const jitters = received.map(entry => entry.jitter as number | undefined).filter(jitter => jitter !== undefined);

  return {
    packetsSent: sum(sent, 'packetsSent'),
    packetsReceived: sum(received, 'packetsReceived'),
    packetsLost: sum(received, 'packetsLost'),
    bytesSent: sum(sent, 'bytesSent'),
    bytesReceived: sum(received, 'bytesReceived'),
    jitter: jitters.length ? Math.max(...jitters) * 1000 : undefined,
    roundTripTime: roundTrip === undefined ? undefined : roundTrip * 1000,
    codecs: [...new Set(received.map(entry => byId.get(String(entry.codecId))?.mimeType).filter(name => typeof name === 'string'))],
    local: candidate(byId.get(String(pair?.localCandidateId))),
    remote: candidate(byId.get(String(pair?.remoteCandidateId))),
  };
}

/** All packets that have arrived, of any kind. Firefox counts only those of media. */
export function packetsArrived(report: Iterable<Entry>): number {
  const entries = [...report];
  const transports = entries.filter(entry => entry.type === 'transport' && entry.packetsReceived !== undefined);
  return sum(transports.length > 0 ? transports : entries.filter(entry => entry.type === 'inbound-rtp'), 'packetsReceived');
}

/** The URL of the TURN server on the path, where the browser says it. */
export function relayOnPath(report: Iterable<Entry>): string | undefined {
  const byId = new Map([...report].map(entry => [entry.id, entry]));
  const pair = [...byId.values()].map(entry => byId.get(String(entry.selectedCandidatePairId))).find(entry => entry);
  return byId.get(String(pair?.localCandidateId))?.url as string | undefined;
}

function sum(entries: Entry[], member: string): number {
  return entries.reduce((total, entry) => total + (Number(entry[member]) || 0), 0);
}

function candidate(entry: Entry | undefined): Candidate | undefined {
  if (!entry) return undefined;
  return {
    type: String(entry.candidateType),
    address: hostPort(String(entry.address ?? ''), entry.port),
    relayProtocol: entry.relayProtocol as string | undefined,
  };
}

export function hostPort(address: string, port: unknown): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
