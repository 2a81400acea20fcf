// @ts-check
// Log records, latest first, each with the way to its trace.
import { get } from '../api.js';
import { clockTime, el, pairsTable, serviceTag } from '../dom.js';
import { field, followForm, serviceChoice } from './filters.js';

const levels = [['', 'any'], ['5', 'debug and above'], ['9', 'information and above'], ['13', 'warning and above'], ['17', 'error and above']];

/** @type {import('../app.js').Show} */
export async function logsView(main, _path, query) {
  const service = await serviceChoice(query.get('service'));
  const level = el('select', { name: 'severity' }, ...levels.map(([value = '', name = '']) => el('option', { value }, name)));
  level.value = query.get('severity') ?? '';
  const form = el('form', { class: 'card filters', 'aria-label': 'Search log records' },
    field('Service', service), field('Level', level),
    field('Text', el('input', { name: 'text', value: query.get('text') ?? '' })),
    field('Trace id', el('input', { name: 'trace', value: query.get('trace') ?? '' })));
  const count = el('p', { class: 'soft', role: 'status' });
  const list = el('div', { class: 'card flush' });
  main.replaceChildren(el('div', { class: 'head' }, el('h1', {}, 'Logs'), count), form, list);

  const load = async () => {
    const { logs, matches } = await get('logs', Object.fromEntries(followForm(form)));
    count.textContent = matches > logs.length ? `latest ${logs.length} of ${matches}` : `${matches} records`;
    // What a person has opened is being read.
    if (!list.querySelector('details[open]')) list.replaceChildren(logs.length ? logTable(logs, true) : el('div', { class: 'empty' }, el('strong', {}, 'No record fits')));
  };
  form.addEventListener('submit', event => event.preventDefault());
  form.addEventListener('input', () => void load());
  await load();
  return { changed: change => change.logs ? load() : undefined };
}

/** @param {any[]} logs @param {boolean} withTrace */
export function logTable(logs, withTrace) {
  return el('table', { 'data-testid': 'logs' },
    el('thead', {}, el('tr', {}, ...['Time', 'Level', 'Service', 'Record', withTrace ? 'Trace' : ''].filter(name => name).map(name => el('th', {}, name)))),
    el('tbody', {}, ...logs.map(log => el('tr', {},
      el('td', { class: 'number' }, clockTime(log.time)),
      el('td', {}, el('span', { class: `level level-${levelOf(log.severity)}` }, levelOf(log.severity))),
      el('td', {}, serviceTag(log.service)),
      el('td', { class: 'log-text' }, el('details', {}, el('summary', {}, log.text), el('p', { class: 'soft' }, log.category), pairsTable(log.attributes))),
      withTrace && el('td', {}, log.trace && el('a', { href: `#/traces/${log.trace}${log.span ? `?span=${log.span}` : ''}` }, log.trace.slice(0, 8)))))));
}

/** @param {number} severity of OTLP, 1 to 24 */
function levelOf(severity) {
  return ['trace', 'debug', 'information', 'warning', 'error', 'fatal'][Math.max(0, Math.ceil(severity / 4) - 1)] ?? 'unknown';
}
