// @ts-check
// The traces that fit a search, latest first.
import { get } from '../api.js';
import { clockTime, el, serviceTag } from '../dom.js';
import { duration } from '../ladder/drawing.js';
import { field, followForm, serviceChoice } from './filters.js';

/** @type {import('../app.js').Show} */
export async function tracesView(main, _path, query) {
  const service = await serviceChoice(query.get('service'));
  const errors = el('input', { type: 'checkbox', name: 'error', value: 'true', checked: query.get('error') === 'true' });
  const form = el('form', { class: 'card filters', 'aria-label': 'Search traces' },
    field('Service', service),
    field('Span name', el('input', { name: 'name', value: query.get('name') ?? '', placeholder: 'turn allocate' })),
    field('Attribute', el('input', { name: 'attribute', value: query.get('attribute') ?? '', placeholder: 'ims.step=8' })),
    field('At least, ms', el('input', { name: 'min_ms', type: 'number', min: '0', value: query.get('min_ms') ?? '' }), 'narrow'),
    field('At most, ms', el('input', { name: 'max_ms', type: 'number', min: '0', value: query.get('max_ms') ?? '' }), 'narrow'),
    el('label', { class: 'check' }, errors, 'Failed only'));
  const count = el('p', { class: 'soft', role: 'status', 'data-testid': 'count' });
  const list = el('div', { class: 'card flush' });
  main.replaceChildren(el('div', { class: 'head' }, el('h1', {}, 'Traces'), count), form, list);

  const load = async () => {
    const { traces, matches } = await get('traces', Object.fromEntries(followForm(form)));
    count.textContent = matches > traces.length ? `latest ${traces.length} of ${matches}` : `${matches} ${matches === 1 ? 'trace' : 'traces'}`;
    list.replaceChildren(traces.length ? table(traces) : nothing(form));
  };
  form.addEventListener('submit', event => event.preventDefault());
  form.addEventListener('input', () => void load());
  await load();
  return { changed: change => change.spans ? load() : undefined };
}

/** @param {any[]} traces */
function table(traces) {
  const longest = Math.max(...traces.map(trace => trace.duration), 0.001);
  return el('table', { 'data-testid': 'traces' },
    el('thead', {}, el('tr', {}, ...['Time', 'Begins with', 'Services', 'Steps', 'Spans', 'Duration', 'Result'].map((name, index) => el('th', { class: [0, 4, 5].includes(index) ? 'number' : '' }, name)))),
    el('tbody', {}, ...traces.map(trace => row(trace, longest))));
}

/** @param {any} trace @param {number} longest */
function row(trace, longest) {
  const bar = el('span', { class: 'bar-of' });
  bar.style.setProperty('--part', String(trace.duration / longest));
  return el('tr', { class: trace.errors ? 'failed' : '' },
    el('td', { class: 'number' }, el('time', { title: new Date(trace.start).toLocaleString('en-GB') }, clockTime(trace.start))),
    el('td', {}, el('a', { href: `#/traces/${trace.id}` }, trace.name || '(no name)')),
    el('td', {}, el('div', { class: 'chips' }, ...Object.keys(trace.services).map(serviceTag))),
    el('td', {}, stepStrip(trace.steps)),
    el('td', { class: 'number' }, String(trace.spans)),
    el('td', { class: 'number took' }, duration(trace.duration), bar),
    el('td', { class: 'failures' }, trace.errors ? `✗ ${trace.errors} failed` : ''));
}

/** Which of the figure's eight steps the trace has. @param {string[]} seen */
function stepStrip(seen) {
  if (!seen.length) return '';
  const strip = el('span', { class: 'steps', role: 'img', 'aria-label': `steps ${seen.join(', ')} of 8` });
  for (let step = 1; step <= 8; step++) strip.append(el('i', { class: seen.includes(String(step)) ? 'seen' : '' }, String(step)));
  return strip;
}

/** @param {HTMLFormElement} form */
function nothing(form) {
  const searches = [...followForm(form)].length > 0;
  return el('div', { class: 'empty' },
    el('strong', {}, searches ? 'No trace fits' : 'No traces yet'),
    el('p', {}, searches ? 'Search for less, or wait: new traces appear here by themselves.' : 'Make a call, or send OTLP over HTTP to this address under /v1/traces.'));
}
