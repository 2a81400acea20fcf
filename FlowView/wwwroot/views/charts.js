// @ts-check
// Two simple charts: lines over time, and bars of a distribution.
import { shape, toElement } from '../ladder/drawing.js';

const width = 900;
const height = 280;
const margin = { left: 64, right: 12, top: 12, bottom: 26 };
// Of OpenTelemetry's SDKs where nothing else is set; in milliseconds.
const reportingInterval = 60_000;

/**
 * Dots are measurements of which the trace is known, and lead to it.
 * @param {{ labels: string, points: { time: number, value: number }[], exemplars: { time: number, value: number, trace: string }[] }[]} lines
 * @param {string} unit
 */
export function chart(lines, unit) {
  const points = lines.flatMap(line => line.points).filter(point => Number.isFinite(point.value));
  const [first, to] = [Math.min(...points.map(point => point.time)), Math.max(...points.map(point => point.time))];
  // What the first point reports was measured before it.
  const exemplars = lines.flatMap((line, index) => line.exemplars.filter(exemplar => exemplar.time >= first - reportingInterval && exemplar.time <= to).map(exemplar => ({ ...exemplar, index })));
  const from = Math.min(first, ...exemplars.map(exemplar => exemplar.time));
  const top = niceCeiling(Math.max(0, ...points.map(point => point.value), ...exemplars.map(exemplar => exemplar.value)));
  const low = Math.min(0, ...points.map(point => point.value));
  const x = (/** @type {number} */ time) => margin.left + (to > from ? (time - from) / (to - from) : 1) * (width - margin.left - margin.right);
  const y = (/** @type {number} */ value) => height - margin.bottom - (value - low) / (top - low || 1) * (height - margin.top - margin.bottom);
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap(part => {
    const value = low + (top - low) * part;
    return [
      shape('line', { x1: margin.left, x2: width - margin.right, y1: y(value), y2: y(value) }),
      shape('text', { x: margin.left - 8, y: y(value) + 4, 'text-anchor': 'end' }, [compact(value)]),
    ];
  });
  const times = points.length ? [from, to].map((time, index) =>
    shape('text', { x: x(time), y: height - 8, 'text-anchor': index ? 'end' : 'start' }, [new Date(time).toLocaleTimeString('en-GB')])) : [];
  const paths = lines.map((line, index) => shape('path', {
    class: `service-${index % 8}`, d: line.points.map((point, at) => `${at ? 'L' : 'M'}${x(point.time).toFixed(1)} ${y(point.value).toFixed(1)}`).join('') + (line.points.length ? 'h0.01' : ''),
  }));
  return toElement(shape('svg', {
    class: 'chart', viewBox: `0 0 ${width} ${height}`, role: exemplars.length ? 'group' : 'img', 'aria-label': `${lines.length} lines over time, ${unit}; the latest values are in the list below`,
  }, [...grid, ...times, ...paths, ...exemplars.map(exemplar => shape('a', { href: `#/traces/${exemplar.trace}`, 'aria-label': `Trace that measured ${compact(exemplar.value)} ${unit}` }, [
    shape('circle', { class: `service-${exemplar.index % 8}`, cx: x(exemplar.time), cy: y(exemplar.value), r: 5 }, [shape('title', {}, [`${compact(exemplar.value)} ${unit}: open the trace`])]),
  ]))]));
}

/** Bars of all series together. @param {{ bounds: number[], buckets: number[] }[]} series */
export function distribution(series) {
  const bounds = series[0]?.bounds ?? [];
  const counts = Array.from({ length: bounds.length + 1 }, (_, index) => series.reduce((sum, one) => sum + (one.buckets?.[index] ?? 0), 0));
  const most = Math.max(1, ...counts);
  const gap = (width - margin.left - margin.right) / counts.length;
  const bars = counts.flatMap((count, index) => {
    const tall = count / most * 120;
    const left = margin.left + index * gap;
    const name = index < bounds.length ? `≤ ${compact(bounds[index] ?? 0)}` : `> ${compact(bounds.at(-1) ?? 0)}`;
    return [
      shape('rect', { class: 'service-0', x: left + 2, y: 140 - tall, width: Math.max(1, gap - 4), height: tall, rx: 2 }, [shape('title', {}, [`${name}: ${count}`])]),
      ...(count ? [shape('text', { x: left + gap / 2, y: 134 - tall, 'text-anchor': 'middle' }, [String(count)])] : []),
      shape('text', { x: left + gap / 2, y: 156, 'text-anchor': 'middle' }, [name]),
    ];
  });
  return toElement(shape('svg', { class: 'chart', viewBox: `0 0 ${width} 164`, role: 'img', 'aria-label': 'Distribution' }, bars));
}

/** @param {number} value */
function niceCeiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 5, 10].find(step => step * power >= value) ?? 10) * power;
}

/** @param {number} value */
function compact(value) {
  if (value !== 0 && Math.abs(value) < 0.01) return value.toExponential(0);
  return Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 }).format(value);
}
