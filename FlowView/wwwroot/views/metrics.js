// @ts-check
// Metrics by service: counters as a rate, gauges as they are, histograms as average, 95th percentile and distribution.
import { get } from '../api.js';
import { el } from '../dom.js';
import { chart, distribution } from './charts.js';

/** @type {import('../app.js').Show} */
export async function metricsView(main, path, query) {
  const [service = '', name = ''] = path;
  const search = el('input', { type: 'search', 'aria-label': 'Search metrics', placeholder: 'Search', value: query.get('q') ?? '' });
  const names = el('div', {});
  const shown = el('div', { class: 'card', 'data-testid': 'metric' });
  main.replaceChildren(el('h1', {}, 'Metrics'), el('div', { class: 'metrics' },
    el('div', { class: 'card instruments' }, el('label', { class: 'field' }, 'Name', search), names), shown));

  /** @type {any[]} */
  let instruments = [];
  const listNames = () => names.replaceChildren(...instrumentList(instruments.filter(instrument => `${instrument.service} ${instrument.name}`.includes(search.value.trim())), service, name));
  const load = async () => {
    const known = await get('metrics');
    if (known.length !== instruments.length) {
      instruments = known;
      listNames();
    }
    if (!name) {
      shown.replaceChildren(el('div', { class: 'empty' }, el('strong', {}, instruments.length ? 'Choose a metric' : 'No metrics yet'), el('p', {}, 'Parts send theirs every few seconds.')));
      return;
    }
    const { series } = await get(`metrics/${encodeURIComponent(name)}`, { service });
    shown.replaceChildren(...instrument(name, series));
  };
  search.addEventListener('input', listNames);
  await load();
  return { changed: change => change.metrics ? load() : undefined };
}

/** @param {any[]} instruments @param {string} service @param {string} name */
function instrumentList(instruments, service, name) {
  const services = [...new Set(instruments.map(instrument => instrument.service))];
  return services.flatMap(owner => [
    el('h2', {}, owner),
    el('ul', {}, ...instruments.filter(instrument => instrument.service === owner).sort(ownFirst).map(instrument => el('li', {}, el('a', {
      href: `#/metrics/${encodeURIComponent(owner)}/${encodeURIComponent(instrument.name)}`,
      'aria-current': owner === service && instrument.name === name ? 'true' : undefined,
    }, instrument.name)))),
  ]);
}

/** The parts' own metrics before those of the platform. @param {any} one @param {any} other */
function ownFirst(one, other) {
  const isPlatform = (/** @type {any} */ instrument) => /^(aspnetcore|dotnet|dns|http|kestrel|process|signalr)\./.test(instrument.name);
  return Number(isPlatform(one)) - Number(isPlatform(other)) || one.name.localeCompare(other.name);
}

/** @param {string} name @param {any[]} series */
function instrument(name, series) {
  const [first] = series;
  if (!first) return [el('div', { class: 'empty' }, el('strong', {}, 'No values any more'))];
  const head = [el('div', { class: 'head' }, el('h2', {}, name), el('span', { class: 'soft' }, `${first.type.replaceAll('_', ' ')}${first.unit ? `, ${first.unit}` : ''}`)), el('p', { class: 'soft' }, first.description)];
  const isHistogram = first.type === 'histogram' || first.type === 'summary';
  const lines = series.map(one => ({
    labels: Object.entries(one.attributes).map(([key, value]) => `${key}=${value}`).join('  ') || one.instance || one.service,
    points: isHistogram ? averages(one) : first.type === 'counter' ? rates(one) : one.points.map((/** @type {any} */ point) => ({ time: point.time, value: point.value })),
    exemplars: one.exemplars,
    latest: one.points.at(-1),
  }));
  const unit = first.type === 'counter' ? `${first.unit || '1'} per second` : first.unit;
  // A counter's line is a rate, on which a single measurement has no place.
  return [...head, chart(isHistogram ? lines : lines.map(line => ({ ...line, exemplars: [] })), isHistogram ? `average, ${unit}` : unit), legend(lines, isHistogram), ...(isHistogram && first.bounds ? [el('h3', {}, 'Distribution since the start'), distribution(series)] : [])];
}

/** @param {any[]} lines @param {boolean} isHistogram */
function legend(lines, isHistogram) {
  return el('ul', { class: 'legend' }, ...lines.map((line, index) => el('li', {},
    el('span', { class: `swatch service-${index % 8}` }), el('span', { class: 'labels' }, line.labels),
    el('strong', { class: 'number' }, isHistogram ? `${line.latest.count} measured` : line.latest.value.toLocaleString('en')),
    ...line.exemplars.slice(-3).map((/** @type {any} */ exemplar) => el('a', { href: `#/traces/${exemplar.trace}`, title: `a trace that measured ${exemplar.value}` }, exemplar.trace.slice(0, 8))))));
}

/** What was counted between two points, per second; a counter that begins anew counts from zero. @param {any} series */
function rates(series) {
  return between(series, (before, point) => {
    const counted = series.is_delta ? point.value : point.value >= before.value ? point.value - before.value : point.value;
    return counted / Math.max(0.001, (point.time - before.time) / 1000);
  });
}

/** @param {any} series */
function averages(series) {
  return between(series, (before, point) => {
    const isNew = series.is_delta || point.count < before.count;
    const count = isNew ? point.count : point.count - before.count;
    return count > 0 ? (isNew ? point.value : point.value - before.value) / count : undefined;
  });
}

/**
 * A value for each point, from it and the one before. Before the first there was nothing, an interval earlier.
 * @param {any} series @param {(before: any, point: any) => number | undefined} value
 */
function between(series, value) {
  const [first, second] = series.points;
  const nothing = { time: first.time - (second ? second.time - first.time : 2000), value: 0, count: 0 };
  return series.points.map((/** @type {any} */ point, /** @type {number} */ index) => ({ time: point.time, value: value(series.points[index - 1] ?? nothing, point) }))
    .filter((/** @type {any} */ point) => point.value !== undefined);
}
