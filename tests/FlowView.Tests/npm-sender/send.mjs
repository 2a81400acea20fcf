// Sends one trace of two spans, gzip, to the address given; prints its id.
import { SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

const exporter = new OTLPTraceExporter({ url: new URL('/v1/traces', process.argv[2]).href, compression: 'gzip' });
const provider = new BasicTracerProvider({ resource: resourceFromAttributes({ 'service.name': 'shop' }), spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer('checkout');
const root = tracer.startSpan('order', { kind: SpanKind.SERVER, attributes: { 'order.items': 3, 'order.tags': ['a', 'b'], 'order.paid': true } });
const child = tracer.startSpan('charge', { kind: SpanKind.CLIENT }, trace.setSpan(context.active(), root));
child.recordException(new Error('card refused'));
child.setStatus({ code: SpanStatusCode.ERROR, message: 'refused' });
child.end();
root.end();
await provider.forceFlush();
await provider.shutdown();
console.log(root.spanContext().traceId);
