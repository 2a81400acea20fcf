import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace as api } from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';

/**
 * One piece of work of this page as spans of OpenTelemetry: a root, and below it what is at work. Everything that the work causes
 * elsewhere carries the trace's id (W3C Trace Context).
 */
export class Trace {
  readonly root: Span;
  /** The span at work: the requests that are made now are its children. */
  current: Span;
  // One clock for the whole trace, finer than a millisecond; the page's own drifts from the machine's when that sleeps.
  readonly #epoch = Date.now() - performance.now();
  readonly #attributes: Record<string, string>;

  /**
   * Hangs under somebody else's `traceparent` when there is one; where that is malformed, the trace begins here. Each span of this page
   * has `attributes`: the root is sent last, and a list of calls needs them before.
   */
  constructor(name: string, traceparent = '', attributes: Record<string, string> = {}) {
    this.#attributes = attributes;
    const parent = parseTraceParent(traceparent.trim());
    this.root = this.current = this.#start(name, SpanKind.INTERNAL, {}, parent ? api.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT);
  }

  get id(): string {
    return this.root.spanContext().traceId;
  }

  /** A child of the root, which is at work from now on; `step` where it is one of the figure's. */
  begin(name: string, step?: number): Span {
    const kind = name.startsWith('request ') ? SpanKind.CLIENT : SpanKind.INTERNAL;
    return this.current = this.#start(name, kind, step === undefined ? {} : { 'ims.step': step }, api.setSpan(ROOT_CONTEXT, this.root));
  }

  /** `error` is the code of the problem, where there is one. What has ended stays as it is. */
  end(span: Span, error?: string): void {
    if (this.current === span) this.current = this.root;
    if (!span.isRecording()) return;
    if (error !== undefined) span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR });
    span.end(this.#now());
  }

  /** A `traceparent` value for what the span at work causes, unless another is named. */
  traceparent(span = this.current): string {
    const { traceId, spanId, traceFlags } = span.spanContext();
    return `00-${traceId}-${spanId}-0${traceFlags}`;
  }

  #start(name: string, kind: SpanKind, attributes: Record<string, number>, parent: typeof ROOT_CONTEXT): Span {
    return api.getTracer('WebRtcIms.Wic').startSpan(name, { kind, attributes: { ...this.#attributes, ...attributes }, startTime: this.#now() }, parent);
  }

  #now(): number {
    return this.#epoch + performance.now();
  }
}
