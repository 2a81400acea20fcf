import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';

/**
 * Sends the page's spans through the gateway, once each, in batches within its limits: 16 KB and 32 spans in a request, 60 requests
 * a minute. Without a network they wait for it: they tell that it was lost. If the gateway does not answer, the spans are lost and calls go on. Returns a function that sends all ended spans at once,
 * for a page that closes.
 */
export function sendSpans(): () => void {
  const exporter = new OTLPTraceExporter({ url: new URL('/v1/traces', location.href).href });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'wic' }),
    spanProcessors: [new BatchSpanProcessor({ exporter: whenOnline(exporter), maxExportBatchSize: 16, maxQueueSize: 256, scheduledDelayMillis: 1000 })],
  });
  trace.setGlobalTracerProvider(provider);
  return () => void provider.forceFlush().catch(() => {});
}

function whenOnline(exporter: SpanExporter): SpanExporter {
  return {
    export(spans, done) {
      if (navigator.onLine) exporter.export(spans, done);
      else addEventListener('online', () => exporter.export(spans, done), { once: true });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
