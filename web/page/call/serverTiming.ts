/** Durations in milliseconds by metric name, from a `Server-Timing` header: `step3;dur=0.4;desc="session checked", …`. */
export function parseServerTiming(header: string | null): Map<string, number> {
  const durations = new Map<string, number>();
  for (const metric of (header ?? '').split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)) {
    const [name, ...parameters] = metric.split(';').map(part => part.trim());
    const duration = parameters.find(parameter => /^dur=/i.test(parameter));
    if (!name || !duration) continue;
    const milliseconds = Number(duration.slice('dur='.length).replaceAll('"', ''));
    if (Number.isFinite(milliseconds)) durations.set(name, milliseconds);
  }
  return durations;
}
