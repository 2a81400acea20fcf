import { type Language, language } from '../texts/language.ts';
import { figure, isStep } from './figure.ts';

// Turns the spans of a trace into the rows of a sequence diagram: figure X.5.3.2-1 of 3GPP TS 33.203 as it happened.
// Pure: no page, no clock. drawing.ts makes SVG of it, mermaid.ts text.

/** A span as FlowView's API gives it; times in milliseconds. */
export interface Span {
  id: string;
  parent: string;
  name: string;
  kind: string;
  service: string;
  start: number;
  duration: number;
  attributes: Record<string, unknown>;
  error: boolean;
  message: string;
  events?: { time: number; name: string; attributes: Record<string, unknown> }[];
}

export interface Lane { id: string; name: string; role: string }

/** One arrow; or one mark, if `from` and `to` are the same lane. */
export interface Row {
  kind: 'request' | 'response' | 'local';
  /** The step of the figure; empty for none. */
  number: string;
  from: string;
  to: string;
  label: string;
  detail: string;
  /** Since the start of the trace. */
  at: number;
  /** Duration of the work behind the arrow. */
  took: number | undefined;
  failed: boolean;
  reason: string;
  /** True for the failure that the other ones follow from. */
  isCause: boolean;
  span: string;
  /** The number of equal rows that ran side by side. */
  count: number;
}

/** `reader` is the language of its texts. */
export interface Ladder { reader: Language; lanes: Lane[]; rows: Row[]; duration: number; cause: Row | undefined }

/** A step that no arrow shows yet, or that one already shows. */
interface Step { number: string; isShown: boolean }

/** `spans` are all of one trace, in any order. */
export function ladderOf(spans: readonly Span[], reader: Language = language): Ladder {
  const trace = new Trace(onOneClock(spans), reader);
  // The writer keeps a request before its response, also at the same moment: the sort is stable.
  const rows = new Writer(trace, reader).write().sort((one, other) => one.at - other.at);
  markCause(rows);
  const used = new Set(rows.flatMap(row => [row.from, row.to]));
  const { lanes: known, service, elsewhere } = reader.texts.ladder;
  // The catalogue has the lanes in the order of the figure. Other services follow.
  const lanes: Lane[] = Object.entries(known).filter(([id]) => used.has(id)).map(([id, lane]) => ({ id, ...lane }));
  for (const id of used) if (!Object.hasOwn(known, id)) lanes.push({ id, name: id || elsewhere, role: service });
  return { reader, lanes, rows, duration: trace.end - trace.start, cause: rows.find(row => row.isCause) };
}

/**
 * The spans with the times of the servers' clock. The clock of a page may be wrong. Its spans move if the server would have begun before
 * the page asked, or after the page had its answer.
 */
function onOneClock(spans: readonly Span[]): readonly Span[] {
  const byId = new Map(spans.map(span => [span.id, span]));
  const pageOf = (span: Span) => byId.get(span.parent)?.service === 'wic' ? span.parent : span.id;
  const shifts: Map<string, number> = new Map();
  for (const server of spans) {
    const request = byId.get(server.parent);
    if (request?.service !== 'wic' || request.kind !== 'client' || server.service === 'wic' || shifts.has(pageOf(request))) continue;
    const isWithin = server.start >= request.start && server.start <= request.start + request.duration;
    shifts.set(pageOf(request), isWithin ? 0 : server.start - request.start - Math.max(0, request.duration - server.duration) / 2);
  }
  return spans.map(span => {
    const shift = span.service === 'wic' ? shifts.get(pageOf(span)) : undefined;
    return shift ? { ...span, start: span.start + shift } : span;
  });
}

/** The spans as a tree of who caused whom at that moment. */
class Trace {
  readonly byId: ReadonlyMap<string, Span>;
  readonly start: number;
  readonly end: number;
  readonly stepsSeen: ReadonlySet<string>;
  readonly children = new Map<string, Span[]>();
  readonly #reader: Language;

  constructor(spans: readonly Span[], reader: Language) {
    this.#reader = reader;
    this.byId = new Map(spans.map(span => [span.id, span]));
    this.start = spans.length ? Math.min(...spans.map(span => span.start)) : 0;
    this.end = spans.length ? Math.max(...spans.map(span => span.start + span.duration)) : 0;
    this.stepsSeen = new Set(spans.map(stepOf).filter(step => step));
    for (const span of [...spans].sort((one, other) => one.start - other.start)) {
      const caller = this.callerOf(span);
      const siblings = this.children.get(caller?.id ?? '');
      if (siblings) siblings.push(span);
      else this.children.set(caller?.id ?? '', [span]);
    }
  }

  /**
   * The span's caller. TURN carries no trace context: an Allocate is the child of the span that made its token, but the page
   * sends it.
   */
  callerOf(span: Span) {
    const parent = this.byId.get(span.parent);
    // Of its own steps, the page sends requests only in step 2. Requests during the other steps belong to the call.
    if (parent?.service === 'wic' && span.service !== 'wic' && ['1', '7', '8'].includes(stepOf(parent))) return this.byId.get(parent.parent) ?? parent;
    if (span.service !== 'turn' || parent?.service === 'turn') return parent;
    // A span of the page that had ended before cannot be the caller, except the outermost one.
    return this.upFrom(parent).find(above => above.service === 'wic'
      && (above.start + above.duration >= span.start || this.byId.get(above.parent)?.service !== 'wic'));
  }

  /** The span and its ancestors, each once, because a sender may have made a circle of them. */
  upFrom(span: Span | undefined) {
    const path: Set<Span> = new Set();
    for (let above = span; above && !path.has(above); above = this.byId.get(above.parent)) path.add(above);
    return [...path];
  }

  /** A page that the eP-CSCF calls is the peer. */
  laneOf(span: Span) {
    if (span.service !== 'wic') return span.service;
    return this.upFrom(span).some(above => above.service === 'ep-cscf') ? 'peer' : 'wic';
  }

  /** The lane of the page that the span works for: the caller's or the peer's. */
  pageOf(span: Span) {
    const visited = new Set();
    let above: Span | undefined = span;
    while (above && !visited.has(above.id)) {
      if (above.service === 'wic') return this.laneOf(above);
      visited.add(above.id);
      above = this.callerOf(above);
    }
    return 'wic';
  }

  /** A step of the figure as the page of this span takes it. */
  figureOf(number: string, span: Span) {
    if (!isStep(number)) return undefined;
    const texts = this.#reader.texts.ladder;
    const step = { ...figure[number], label: texts.steps[number] };
    if (this.pageOf(span) === 'wic') return step;
    const ofPeer = (lane: string) => lane === 'wic' || lane === 'user' ? 'peer' : lane;
    return { from: ofPeer(step.from), to: ofPeer(step.to), label: number === '1' ? texts.answer : step.label };
  }

  /** Whether the span failed. A branch of a call that another branch answered has not (RFC 3261 §16.7): its page was cancelled or is gone. */
  failed(span: Span) {
    return failed(span) && !(text(span, 'sip.method') && this.isOutdone(span));
  }

  isOutdone(span: Span) {
    return this.upFrom(span).some(above => {
      const call = above.service === 'ep-cscf' && above.kind === 'client' ? this.byId.get(above.parent) : undefined;
      return call && /^2/.test(statusOf(call));
    });
  }

  below(span: Span | undefined) {
    return this.children.get(span?.id ?? '') ?? [];
  }

  hasBelow(span: Span, condition: (span: Span) => boolean): boolean {
    return this.below(span).some(child => condition(child) || this.hasBelow(child, condition));
  }
}

/** Walks the tree and writes the rows. */
class Writer {
  readonly trace: Trace;
  readonly #reader: Language;

  constructor(trace: Trace, reader: Language) {
    this.trace = trace;
    this.#reader = reader;
  }

  write(): Row[] {
    return this.blocks(this.trace.below(undefined), undefined, undefined);
  }

  /** The rows of siblings. A burst that looks the same, such as a browser's allocations for each of its addresses, becomes one. */
  blocks(spans: Span[], lane: string | undefined, step: Step | undefined) {
    const blocks: Row[][] = [];
    for (const span of spans) {
      const block = this.rowsOf(span, lane, step);
      const before = blocks.find(other => block.length > 0 && looksLike(other, block) && startOf(block) <= endOf(other) + burst);
      if (before) merge(before, block);
      else if (block.length) blocks.push(block);
    }
    return blocks.flat();
  }

  /**
   * the lane of the caller; undefined at the top
   * the step that the caller is at and that no arrow shows yet
   */
  rowsOf(span: Span, caller: string | undefined, step: Step | undefined): Row[] {
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

  /** A SIP request that goes on to the peer, what the peer does then, and its answer. */
  toPeer(span: Span, lane: string) {
    const response = this.row('response', span, 'peer', lane, { label: outcomeOf(span, this.#reader) });
    response.at = span.start + span.duration - this.trace.start;
    response.took = undefined;
    return [this.row('request', span, lane, 'peer', {}), ...this.blocks(this.trace.below(span), 'peer', undefined), response];
  }

  /** A span in another lane than its caller: an arrow there, what happens there, and an arrow back. */
  entering(span: Span, from: string, to: string, step: Step | undefined) {
    const figure = step && this.trace.figureOf(step.number, span);
    const number = stepOf(span) || (step && figure?.from === from && figure.to === to ? step.number : this.inferredStep(span, from, to));
    if (step && number === step.number) step.isShown = true;
    const request = this.row('request', span, from, to, { step: number ? { number, isShown: false } : undefined });
    const within = this.blocks(this.trace.below(span), to, undefined);
    const isAnswered = within.some(row => row.number && row.kind === 'request' && row.from === to && row.to === from && !row.failed);
    if (isAnswered && !failed(span)) return [request, ...within];

    const response = this.row('response', span, to, from, { label: outcomeOf(span, this.#reader) });
    response.at = span.start + span.duration - this.trace.start;
    response.took = undefined;
    return [request, ...within, response];
  }

  /** A span in its caller's lane. */
  staying(span: Span, lane: string, outer: Step | undefined) {
    const number = stepOf(span);
    const figure = this.trace.figureOf(number, span);
    if (figure && figure.from === figure.to) return [this.row('local', span, lane, lane, { step: { number, isShown: false } }), ...this.blocks(this.trace.below(span), lane, outer)];
    if (figure && figure.to === lane) return [this.row('request', span, figure.from, lane, { step: { number, isShown: false } }), ...this.blocks(this.trace.below(span), lane, outer)];

    const step: Step | undefined = figure ? { number, isShown: false } : outer;
    const within = this.blocks(this.trace.below(span), lane, step);
    // Its arrow's other end sent no span, or nothing ever got there.
    if (figure && step && !step.isShown && !this.isTold(span, figure.to)) return [this.row('request', span, lane, figure.to, { step }), ...within];
    // Its requests may all have worked, and no media came nevertheless.
    const isDropped = failed(span) && ['in call', 'renew credentials'].includes(span.name);
    if (within.length && !isDropped) return within;
    if (span.kind === 'client' || span.kind === 'producer') return [this.calling(span, lane, step)];
    if (!failed(span)) return [];
    const mark = this.row('local', span, lane, lane, {});
    // A call that was dropped had begun well.
    if (isDropped) mark.at += span.duration;
    return [...within, mark];
  }

  /** Whether the step's other end tells of it, a failure of the failure. */
  isTold(span: Span, to: string) {
    return [...this.trace.byId.values()].some(other => other !== span && stepOf(other) === stepOf(span) && this.trace.laneOf(other) === to
      && this.trace.pageOf(other) === this.trace.pageOf(span) && (!failed(span) || failed(other)));
  }

  /** A call of which only the caller's side is known. */
  calling(span: Span, lane: string, step: Step | undefined) {
    const figure = step && this.trace.figureOf(step.number, span);
    const to = figure && figure.from === lane ? figure.to : targetOf(span);
    if (step && figure?.to === to) step.isShown = true;
    return this.row('request', span, lane, to, { step: figure?.to === to ? step : undefined });
  }

  /** The gateway shows only where a request ends in it. */
  passesThrough(span: Span) {
    return span.service === 'wic-web' && (span.kind === 'client' || this.trace.hasBelow(span, other => other.service !== 'wic-web' || (other.kind === 'client' && failed(other))));
  }

  /** A page that sends no spans leaves step 2 to be told by what follows it. */
  inferredStep(span: Span, from: string, to: string) {
    return from === 'wic' && to === 'wwsf' && !this.trace.stepsSeen.has('2') && this.trace.hasBelow(span, other => ['3', '4', '6'].includes(stepOf(other)))
      && /token/.test(text(span, 'url.path') + span.name) ? '2' : '';
  }

  row(kind: Row['kind'], span: Span, from: string, to: string, { label, step }: { label?: string; step?: Step | undefined }): Row {
    const number = step?.number ?? '';
    const hasFailed = this.trace.failed(span);
    return {
      kind, number, from, to,
      label: label ?? this.trace.figureOf(number, span)?.label ?? nameOf(span),
      detail: detailOf(span),
      at: span.start - this.trace.start,
      took: span.duration,
      failed: hasFailed,
      reason: hasFailed ? reasonOf(span, this.#reader) : '',
      isCause: false,
      span: span.id,
      count: 1,
    };
  }
}

/** The failed row that the others follow from: the innermost of those that came last. */
function markCause(rows: Row[]) {
  const requests = rows.filter(row => row.failed && row.kind !== 'response');
  // A call as a whole fails because of a part of it.
  const cause = requests.findLast(row => row.label !== 'in call') ?? requests.at(-1);
  if (cause) cause.isCause = true;
}

/** Milliseconds between the end of one and the start of the next that still are one burst. */
const burst = 50;

function startOf(block: Row[]) {
  return block[0]?.at ?? 0;
}

function endOf(block: Row[]) {
  return Math.max(...block.map(row => row.at + (row.took ?? 0)));
}

function looksLike(block: Row[], other: Row[]) {
  return block.length === other.length && block.every((row, index) => {
    const twin = other[index]!;
    return row.kind === twin.kind && row.number === twin.number && row.from === twin.from && row.to === twin.to && row.label === twin.label
      && row.detail === twin.detail && row.reason === twin.reason && row.failed === twin.failed;
  });
}

/** One block for both: it begins with the first and ends with the last. */
function merge(block: Row[], other: Row[]) {
  block.forEach((row, index) => {
    const twin = other[index]!;
    row.count += twin.count;
    if (row.kind === 'response') row.at = Math.max(row.at, twin.at);
    else if (twin.took !== undefined) row.took = Math.max(row.took ?? 0, twin.at + twin.took - row.at);
  });
}

function stepOf(span: Span) {
  return text(span, 'ims.step');
}

/** Who calls a service when nobody says so. */
function outsideOf(lane: string) {
  return ['wic-web', 'wwsf', 'turn', 'ep-cscf'].includes(lane) ? 'wic' : 'user';
}

function isDatabaseCall(span: Span) {
  return span.kind === 'client' && databaseLane(span) !== '';
}

function databaseLane(span: Span) {
  return text(span, 'db.system.name') || text(span, 'db.system');
}

/** Where a call went to that nobody there reported. */
function targetOf(span: Span) {
  const path = /^[a-z]+:\/\/[^/]+(\/[^?]*)/.exec(text(span, 'url.full'))?.[1] ?? '';
  if (path.startsWith('/oauth2')) return 'waf';
  if (path.startsWith('/api')) return 'wwsf';
  if (path.startsWith('/sip')) return 'ep-cscf';
  if (text(span, 'sip.method')) return span.service === 'ep-cscf' ? 'peer' : 'ep-cscf';
  return text(span, 'peer.service') || [text(span, 'server.address'), text(span, 'server.port')].filter(part => part).join(':');
}

function failed(span: Span) {
  return span.error || Number(statusOf(span)) >= 400;
}

/** The name for people: a path says more than a route's pattern. */
export function nameOf(span: Span) {
  const method = text(span, 'http.request.method');
  const path = text(span, 'url.path') || /^[a-z]+:\/\/[^/]+(\/[^?]*)/.exec(text(span, 'url.full'))?.[1];
  return method && path ? `${method} ${path}` : span.name;
}

function detailOf(span: Span) {
  const transport = text(span, 'network.transport');
  if (transport) return transport.toUpperCase();
  return stepOf(span) || text(span, 'http.request.method') ? nameOf(span) : '';
}

/** Of HTTP or SIP. */
function statusOf(span: Span) {
  return text(span, 'http.response.status_code') || text(span, 'sip.status_code');
}

function outcomeOf(span: Span, reader: Language): string {
  if (statusOf(span)) return statusOf(span);
  return failed(span) ? reasonOf(span, reader) : reader.texts.ladder.success;
}

/** Why the span failed, in words. */
export function reasonOf(span: Span, reader: Language = language): string {
  const { reasons, sipReasons, failed: noReason } = reader.texts.ladder;
  const code = text(span, 'turn.error_code');
  const type = text(span, 'wwsf.problem') || text(span, 'error.type');
  const exception = span.events?.find(event => event.name === 'exception');
  const sentence = textFor(reasons, type) || span.message || (text(span, 'sip.method') && textFor(sipReasons, statusOf(span))) || String(exception?.attributes['exception.message'] ?? '') || type;
  const number = code && code !== '0' ? code : statusOf(span);
  return [number, sentence === number ? '' : sentence].filter(part => part).join(' ') || noReason;
}

function textFor(texts: Readonly<Record<string, string>>, key: string): string {
  return Object.hasOwn(texts, key) ? texts[key]! : '';
}

function text(span: Span, key: string) {
  const value = span.attributes[key];
  return value === undefined || value === null ? '' : String(value);
}
