// @ts-check
// From the spans of a trace to the rows of a sequence diagram: figure X.5.3.2-1 of 3GPP TS 33.203 as it really happened.
// Pure: no page, no clock. drawing.js makes SVG of it, mermaid.js text.

/**
 * A span as FlowView's API gives it; times in milliseconds. Only these fields are read.
 * @typedef {{ id: string, parent: string, name: string, kind: string, service: string, start: number, duration: number,
 *   attributes: Record<string, unknown>, error: boolean, message: string,
 *   events?: { name: string, attributes: Record<string, unknown> }[] }} Span
 *
 * @typedef {{ id: string, name: string, role: string }} Lane
 *
 * One arrow (or, where from and to are the same lane, one mark). `at` is the time since the trace began, `took` how long the
 * work behind the arrow lasted, `count` how many of the same kind ran side by side.
 * @typedef {{ kind: 'request' | 'response' | 'local', number: string, from: string, to: string, label: string, detail: string,
 *   at: number, took: number | undefined, failed: boolean, reason: string, isCause: boolean, span: string, count: number }} Row
 *
 * @typedef {{ lanes: Lane[], rows: Row[], duration: number, cause: Row | undefined }} Ladder
 */

/** Lanes in the order of the figure; services that it does not know follow. @type {readonly Lane[]} */
const knownLanes = [
  { id: 'user', name: 'User', role: 'person' },
  { id: 'wic', name: 'WIC', role: 'page' },
  { id: 'wic-web', name: 'Gateway', role: 'origin' },
  { id: 'wwsf', name: 'WWSF', role: 'web service' },
  { id: 'waf', name: 'WAF', role: 'OAuth 2.0' },
  { id: 'ep-cscf', name: 'eP-CSCF', role: 'SIP' },
  { id: 'redis', name: 'Redis', role: 'caches' },
  { id: 'turn', name: 'TURN', role: 'relay' },
  { id: 'peer', name: 'Peer', role: 'far end' },
];

/** The eight steps of the figure: who, to whom, what. @type {Readonly<Record<string, { from: string, to: string, label: string }>>} */
export const steps = {
  1: { from: 'user', to: 'wic', label: 'Call' },
  2: { from: 'wic', to: 'wwsf', label: 'Ask for a TURN token' },
  3: { from: 'wwsf', to: 'wwsf', label: 'Check the user' },
  4: { from: 'wwsf', to: 'waf', label: 'Request token and key' },
  5: { from: 'waf', to: 'waf', label: 'Make token and key' },
  6: { from: 'wwsf', to: 'wic', label: 'Token and key' },
  7: { from: 'wic', to: 'wic', label: 'Hand both to the browser' },
  8: { from: 'wic', to: 'turn', label: 'Allocate with the token' },
};

/** What a code means, where the span that has it gives no sentence. @type {Readonly<Record<string, string>>} */
const reasons = {
  waf_unavailable: 'the WAF does not answer',
  waf_refused: 'the WAF refused',
  wwsf_unavailable: 'the WWSF does not answer',
  not_signed_in: 'nobody is signed in',
  session_expired: 'the session has ended',
  rate_limited: 'too many requests',
  connection_error: 'no connection',
  name_resolution_error: 'no such host',
  timeout: 'no answer in time',
  'System.Threading.Tasks.TaskCanceledException': 'no answer in time',
  'System.OperationCanceledException': 'no answer in time',
  turn_unreachable: 'the TURN server does not answer',
  turn_403: 'TURN forbids this address (403)',
  turn_486: 'the quota of the token is used up (486)',
  turn_508: 'TURN has no relay address left (508)',
  token_expired: 'the token had expired before the TURN server saw it (401)',
  turn_401: 'the TURN server does not accept the token (401): forged, or encrypted under a key that it does not have',
  replay: 'a replay: the same request came before, from elsewhere',
  revoked: 'the token, or the key it is encrypted under, is revoked',
  quota: 'the quota is used up',
  caches_unavailable: 'the caches do not answer, and nothing is allocated without them',
  draining: 'the node ends its work; another one takes new allocations',
  no_free_identity: 'all guest identities are leased or in quarantine',
  leases_unavailable: 'nobody knows which guest identities are free',
  no_subscription: 'no subscription belongs to the user',
  antiforgery: 'the antiforgery token is missing or old',
  login_failed: 'wrong user name or password',
  ims_unavailable: 'the eP-CSCF does not answer',
  nobody_there: 'nobody has this address',
  not_online: 'not online',
  no_media_path: 'nothing comes through the relay',
};

/** @type {Readonly<Record<string, string>>} */
const sipReasons = {
  401: 'the registration token is missing or was refused',
  403: 'forbidden',
  404: 'nobody is registered under that address',
  408: 'no answer in time',
  480: 'not reachable at the moment',
  486: 'busy',
  487: 'cancelled',
  503: 'not available',
  603: 'declined',
};

/**
 * @param {readonly Span[]} spans all of one trace, in any order
 * @returns {Ladder}
 */
export function ladderOf(spans) {
  const trace = new Trace(spans);
  const rows = new Writer(trace).write();
  markCause(rows);
  const used = new Set(rows.flatMap(row => [row.from, row.to]));
  const lanes = knownLanes.filter(lane => used.has(lane.id));
  for (const id of used) if (!lanes.some(lane => lane.id === id)) lanes.push({ id, name: id, role: 'service' });
  return { lanes, rows, duration: trace.end - trace.start, cause: rows.find(row => row.isCause) };
}

/** The spans as a tree of who caused whom at that moment. */
class Trace {
  /** @param {readonly Span[]} spans */
  constructor(spans) {
    /** @type {Map<string, Span>} */
    this.byId = new Map(spans.map(span => [span.id, span]));
    this.start = spans.length ? Math.min(...spans.map(span => span.start)) : 0;
    this.end = spans.length ? Math.max(...spans.map(span => span.start + span.duration)) : 0;
    this.stepsSeen = new Set(spans.map(stepOf).filter(step => step));
    /** @type {Map<string, Span[]>} */
    this.children = new Map();
    for (const span of [...spans].sort((one, other) => one.start - other.start)) {
      const caller = this.callerOf(span);
      const siblings = this.children.get(caller?.id ?? '');
      if (siblings) siblings.push(span);
      else this.children.set(caller?.id ?? '', [span]);
    }
  }

  /**
   * The span's parent. TURN carries no trace context: an Allocate is the child of the span that made its token, yet it is the
   * page that sends it, whatever was at work in it by then.
   * @param {Span} span
   */
  callerOf(span) {
    const parent = this.byId.get(span.parent);
    // Of its steps the page asks others in step 2 only; what follows from the others is the call's.
    if (parent?.service === 'wic' && span.service !== 'wic' && ['1', '7', '8'].includes(stepOf(parent))) return this.byId.get(parent.parent) ?? parent;
    if (span.service !== 'turn' || parent?.service === 'turn') return parent;
    // A span of the page that had ended before is not it, unless it is the page's outermost.
    return this.upFrom(parent).find(above => above.service === 'wic'
      && (above.start + above.duration >= span.start || this.byId.get(above.parent)?.service !== 'wic'));
  }

  /** The span and all above it, each once, for a sender may have made a circle of them. @param {Span | undefined} span */
  upFrom(span) {
    /** @type {Set<Span>} */
    const path = new Set();
    for (let above = span; above && !path.has(above); above = this.byId.get(above.parent)) path.add(above);
    return [...path];
  }

  /** A page that the eP-CSCF calls is the other one's peer. @param {Span} span */
  laneOf(span) {
    if (span.service !== 'wic') return span.service;
    return this.upFrom(span).some(above => above.service === 'ep-cscf') ? 'peer' : 'wic';
  }

  /** The lane of the page that the span works for: the caller's or the peer's. @param {Span} span */
  pageOf(span) {
    const visited = new Set();
    /** @type {Span | undefined} */
    let above = span;
    while (above && !visited.has(above.id)) {
      if (above.service === 'wic') return this.laneOf(above);
      visited.add(above.id);
      above = this.callerOf(above);
    }
    return 'wic';
  }

  /** A step of the figure as the page of this span takes it. @param {string} number @param {Span} span */
  figureOf(number, span) {
    const figure = steps[number];
    if (!figure || this.pageOf(span) === 'wic') return figure;
    const ofPeer = (/** @type {string} */ lane) => lane === 'wic' || lane === 'user' ? 'peer' : lane;
    return { from: ofPeer(figure.from), to: ofPeer(figure.to), label: number === '1' ? 'Answer' : figure.label };
  }

  /** Whether the span failed. A branch of a call that another branch answered has not (RFC 3261 §16.7): its page was cancelled or is gone. @param {Span} span */
  failed(span) {
    return failed(span) && !(text(span, 'sip.method') && this.isOutdone(span));
  }

  /** @param {Span} span */
  isOutdone(span) {
    return this.upFrom(span).some(above => {
      const call = above.service === 'ep-cscf' && above.kind === 'client' ? this.byId.get(above.parent) : undefined;
      return call && /^2/.test(statusOf(call));
    });
  }

  /** @param {Span | undefined} span */
  below(span) {
    return this.children.get(span?.id ?? '') ?? [];
  }

  /** @param {Span} span @param {(span: Span) => boolean} condition @returns {boolean} */
  hasBelow(span, condition) {
    return this.below(span).some(child => condition(child) || this.hasBelow(child, condition));
  }
}

/** Walks the tree and writes the rows. */
class Writer {
  /** @param {Trace} trace */
  constructor(trace) {
    this.trace = trace;
  }

  /** @returns {Row[]} */
  write() {
    return this.blocks(this.trace.below(undefined), undefined, undefined);
  }

  /**
   * The rows of siblings. A burst that looks the same, such as a browser's allocations for each of its addresses, becomes one.
   * @param {Span[]} spans @param {string | undefined} lane @param {Step | undefined} step
   */
  blocks(spans, lane, step) {
    /** @type {Row[][]} */
    const blocks = [];
    for (const span of spans) {
      const block = this.rowsOf(span, lane, step);
      const before = blocks.find(other => block.length > 0 && looksLike(other, block) && startOf(block) <= endOf(other) + burst);
      if (before) merge(before, block);
      else if (block.length) blocks.push(block);
    }
    return blocks.flat();
  }

  /**
   * @param {Span} span
   * @param {string | undefined} caller the lane of the caller; undefined at the top
   * @param {Step | undefined} step the step that the caller is at and that no arrow shows yet
   * @returns {Row[]}
   */
  rowsOf(span, caller, step) {
    if (isDatabaseCall(span)) return [this.row('request', span, this.trace.laneOf(span), databaseLane(span), { label: text(span, 'db.operation.name') || span.name })];

    const lane = this.trace.laneOf(span);
    if (span.service === 'ep-cscf' && span.kind === 'client') return this.toPeer(span, lane);
    if (this.passesThrough(span)) {
      const through = caller ?? 'wic';
      return span.kind === 'client' && failed(span) && !this.trace.below(span).length
        ? [this.row('request', span, through, targetOf(span), { step })]
        : this.blocks(this.trace.below(span), through, step);
    }
    if (lane !== caller && (caller || span.kind === 'server' || span.kind === 'consumer')) return this.entering(span, caller ?? outsideOf(lane), lane, step);
    return this.staying(span, lane, step);
  }

  /** A SIP request that goes on to the peer, what the peer does then, and its answer. @param {Span} span @param {string} lane */
  toPeer(span, lane) {
    const response = this.row('response', span, 'peer', lane, { label: outcomeOf(span) });
    response.at = span.start + span.duration - this.trace.start;
    response.took = undefined;
    return [this.row('request', span, lane, 'peer', {}), ...this.blocks(this.trace.below(span), 'peer', undefined), response];
  }

  /** A span in another lane than its caller: an arrow there, what happens there, and an arrow back. @param {Span} span @param {string} from @param {string} to @param {Step | undefined} step */
  entering(span, from, to, step) {
    const figure = step && this.trace.figureOf(step.number, span);
    const number = stepOf(span) || (step && figure?.from === from && figure.to === to ? step.number : this.inferredStep(span, from, to));
    if (step && number === step.number) step.isShown = true;
    const request = this.row('request', span, from, to, { step: number ? { number, isShown: false } : undefined });
    const within = this.blocks(this.trace.below(span), to, undefined);
    const isAnswered = within.some(row => row.number && row.kind === 'request' && row.from === to && row.to === from && !row.failed);
    if (isAnswered && !failed(span)) return [request, ...within];

    const response = this.row('response', span, to, from, { label: outcomeOf(span) });
    response.at = span.start + span.duration - this.trace.start;
    response.took = undefined;
    return [request, ...within, response];
  }

  /** A span in its caller's lane. @param {Span} span @param {string} lane @param {Step | undefined} outer */
  staying(span, lane, outer) {
    const number = stepOf(span);
    const figure = this.trace.figureOf(number, span);
    if (figure && figure.from === figure.to) return [this.row('local', span, lane, lane, { step: { number, isShown: false } }), ...this.blocks(this.trace.below(span), lane, outer)];
    if (figure && figure.to === lane) return [this.row('request', span, figure.from, lane, { step: { number, isShown: false } }), ...this.blocks(this.trace.below(span), lane, outer)];

    /** @type {Step | undefined} */
    const step = figure ? { number, isShown: false } : outer;
    const within = this.blocks(this.trace.below(span), lane, step);
    // Its arrow's other end sent no span, or nothing ever got there.
    if (figure && step && !step.isShown && !this.isTold(span, figure.to)) return [this.row('request', span, lane, figure.to, { step }), ...within];
    if (within.length) return within;
    if (span.kind === 'client' || span.kind === 'producer') return [this.calling(span, lane, step)];
    return failed(span) ? [this.row('local', span, lane, lane, {})] : [];
  }

  /** Whether the step's other end tells of it, a failure of the failure. @param {Span} span @param {string} to */
  isTold(span, to) {
    return [...this.trace.byId.values()].some(other => other !== span && stepOf(other) === stepOf(span) && this.trace.laneOf(other) === to
      && this.trace.pageOf(other) === this.trace.pageOf(span) && (!failed(span) || failed(other)));
  }

  /** A call of which only the caller's side is known. @param {Span} span @param {string} lane @param {Step | undefined} step */
  calling(span, lane, step) {
    const figure = step && this.trace.figureOf(step.number, span);
    const to = figure && figure.from === lane ? figure.to : targetOf(span);
    if (step && figure?.to === to) step.isShown = true;
    return this.row('request', span, lane, to, { step: figure?.to === to ? step : undefined });
  }

  /** The gateway shows only where a request ends in it. @param {Span} span */
  passesThrough(span) {
    return span.service === 'wic-web' && (span.kind === 'client' || this.trace.hasBelow(span, other => other.service !== 'wic-web' || (other.kind === 'client' && failed(other))));
  }

  /** A page that sends no spans leaves step 2 to be told by what follows it. @param {Span} span @param {string} from @param {string} to */
  inferredStep(span, from, to) {
    return from === 'wic' && to === 'wwsf' && !this.trace.stepsSeen.has('2') && this.trace.hasBelow(span, other => ['3', '4', '6'].includes(stepOf(other)))
      && /token/.test(text(span, 'url.path') + span.name) ? '2' : '';
  }

  /** @param {Row['kind']} kind @param {Span} span @param {string} from @param {string} to @param {{ label?: string, step?: Step | undefined }} what @returns {Row} */
  row(kind, span, from, to, { label, step }) {
    const number = step?.number ?? '';
    const hasFailed = this.trace.failed(span);
    return {
      kind, number, from, to,
      label: label ?? this.trace.figureOf(number, span)?.label ?? nameOf(span),
      detail: detailOf(span),
      at: span.start - this.trace.start,
      took: span.duration,
      failed: hasFailed,
      reason: hasFailed ? reasonOf(span) : '',
      isCause: false,
      span: span.id,
      count: 1,
    };
  }
}

/** @typedef {{ number: string, isShown: boolean }} Step */

/** The failed row that the others follow from: the innermost of those that came last. @param {Row[]} rows */
function markCause(rows) {
  const requests = rows.filter(row => row.failed && row.kind !== 'response');
  const last = requests.at(-1);
  if (last) last.isCause = true;
}

/** Milliseconds between the end of one and the start of the next that still are one burst. */
const burst = 50;

/** @param {Row[]} block */
function startOf(block) {
  return block[0]?.at ?? 0;
}

/** @param {Row[]} block */
function endOf(block) {
  return Math.max(...block.map(row => row.at + (row.took ?? 0)));
}

/** @param {Row[]} block @param {Row[]} other */
function looksLike(block, other) {
  return block.length === other.length && block.every((row, index) => {
    const twin = /** @type {Row} */ (other[index]);
    return row.kind === twin.kind && row.number === twin.number && row.from === twin.from && row.to === twin.to && row.label === twin.label
      && row.detail === twin.detail && row.reason === twin.reason && row.failed === twin.failed;
  });
}

/** One block for both: it begins with the first and ends with the last. @param {Row[]} block @param {Row[]} other */
function merge(block, other) {
  block.forEach((row, index) => {
    const twin = /** @type {Row} */ (other[index]);
    row.count += twin.count;
    if (row.kind === 'response') row.at = Math.max(row.at, twin.at);
    else if (twin.took !== undefined) row.took = Math.max(row.took ?? 0, twin.at + twin.took - row.at);
  });
}

/** @param {Span} span */
function stepOf(span) {
  return text(span, 'ims.step');
}

/** Who calls a service when nobody says so. @param {string} lane */
function outsideOf(lane) {
  return ['wic-web', 'wwsf', 'turn', 'ep-cscf'].includes(lane) ? 'wic' : 'user';
}

/** @param {Span} span */
function isDatabaseCall(span) {
  return span.kind === 'client' && databaseLane(span) !== '';
}

/** @param {Span} span */
function databaseLane(span) {
  return text(span, 'db.system.name') || text(span, 'db.system');
}

/** Where a call went to that nobody there reported. @param {Span} span */
function targetOf(span) {
  const path = /^[a-z]+:\/\/[^/]+(\/[^?]*)/.exec(text(span, 'url.full'))?.[1] ?? '';
  if (path.startsWith('/oauth2')) return 'waf';
  if (path.startsWith('/api')) return 'wwsf';
  if (path.startsWith('/sip')) return 'ep-cscf';
  if (text(span, 'sip.method')) return span.service === 'ep-cscf' ? 'peer' : 'ep-cscf';
  return text(span, 'peer.service') || [text(span, 'server.address'), text(span, 'server.port')].filter(part => part).join(':') || 'elsewhere';
}

/** @param {Span} span */
function failed(span) {
  return span.error || Number(statusOf(span)) >= 400;
}

/** What a person calls it: a path says more than a route's pattern. @param {Span} span */
export function nameOf(span) {
  const method = text(span, 'http.request.method');
  const path = text(span, 'url.path') || /^[a-z]+:\/\/[^/]+(\/[^?]*)/.exec(text(span, 'url.full'))?.[1];
  return method && path ? `${method} ${path}` : span.name;
}

/** @param {Span} span */
function detailOf(span) {
  const transport = text(span, 'network.transport');
  if (transport) return transport.toUpperCase();
  return stepOf(span) || text(span, 'http.request.method') ? nameOf(span) : '';
}

/** Of HTTP or SIP. @param {Span} span */
function statusOf(span) {
  return text(span, 'http.response.status_code') || text(span, 'sip.status_code');
}

/** @param {Span} span */
function outcomeOf(span) {
  if (statusOf(span)) return statusOf(span);
  return failed(span) ? reasonOf(span) : 'success';
}

/** Why the span failed, in words. @param {Span} span */
export function reasonOf(span) {
  const code = text(span, 'turn.error_code');
  const type = text(span, 'wwsf.problem') || text(span, 'error.type');
  const exception = span.events?.find(event => event.name === 'exception');
  const sentence = reasons[type] || span.message || (text(span, 'sip.method') && sipReasons[statusOf(span)]) || String(exception?.attributes['exception.message'] ?? '') || type;
  const number = code && code !== '0' ? code : statusOf(span);
  return [number, sentence === number ? '' : sentence].filter(part => part).join(' ') || 'failed';
}

/** @param {Span} span @param {string} key */
function text(span, key) {
  const value = span.attributes[key];
  return value === undefined || value === null ? '' : String(value);
}
