import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace as api } from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';

/**
 * One piece of work of this page as OpenTelemetry spans: a root and its children. Requests that belong to it carry the trace id
 * (W3C Trace Context).
 */
export class Trace {
  readonly root: Span;
  /** The active span. Requests that are sent now are its children. */
  current: Span;
  // One clock for the whole trace, finer than a millisecond. `performance.now()` drifts from the system clock when the machine sleeps.
  readonly #epoch = Date.now() - performance.now();
  readonly #attributes: Record<string, string>;

  /**
   * Continues the trace of `traceparent`. If that is missing or malformed, a new trace begins. Each span of this page has `attributes`,
   * because a list of calls needs them before the root is sent.
   */
  constructor(name: string, traceparent = '', attributes: Record<string, string> = {}) {
    this.#attributes = attributes;
    const parent = parseTraceParent(traceparent.trim());
    this.root = this.current = this.#start(name, SpanKind.INTERNAL, {}, parent ? api.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT);
  }

  get id(): string {
    return this.root.spanContext().traceId;
  }

  /** Starts a child of the root and makes it active. `step` is its step of the figure, if any. */
  begin(name: string, step?: number): Span {
    const kind = name.startsWith('request ') ? SpanKind.CLIENT : SpanKind.INTERNAL;
    return this.current = this.#start(name, kind, step === undefined ? {} : { 'ims.step': step }, api.setSpan(ROOT_CONTEXT, this.root));
  }

  /** Ends a span, with the problem's code as `error`. A second call has no effect. */
  end(span: Span, error?: string): void {
    if (this.current === span) this.current = this.root;
    if (!span.isRecording()) return;
    if (error !== undefined) span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR });
    span.end(this.#now());
  }

  /** The `traceparent` for requests of the active span, or of another one. */
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
