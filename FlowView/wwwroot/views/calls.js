// @ts-check
// The calls and registrations that fit a search, latest first.
import { get } from '../api.js';
import { callName, outcomeText, personTag, reasonText } from '../call.js';
import { clockTime, el } from '../dom.js';
import { duration } from '../ladder/drawing.js';

const pageLength = 50;

const outcomes = { '': 'All', worked: 'Worked', failed: 'Failed', cancelled: 'Cancelled', in_progress: 'In progress' };
const kinds = {
  '': 'All', echo: 'Echo call', person: 'Call to a person', demo_line: 'Call to the demo line', registration: 'Registration', relay_only: 'Relay only', signalling: 'Sign-in and other signalling',
};

/** @type {import('../app.js').Show} */
export async function callsView(main, _path, query) {
  const text = (/** @type {string} */ name, placeholder = '') => el('input', { name, value: query.get(name) ?? '', placeholder });
  const number = (/** @type {string} */ name) => el('input', { name, type: 'number', min: '0', value: query.get(name) ?? '' });
  const time = (/** @type {string} */ name) => el('input', { name, type: 'datetime-local', value: localTime(query.get(name)) });
  const limit = el('input', { name: 'limit', type: 'hidden', value: query.get('limit') ?? '' });
  const other = el('input', { type: 'checkbox', name: 'other', value: 'true', checked: query.get('other') === 'true' });
  const form = el('form', { class: 'card filters', 'aria-label': 'Search calls' },
    field('Person or trace id', text('who', 'guest'), 'wide'),
    field('Outcome', choice('outcome', outcomes, query)),
    field('Kind', choice('kind', kinds, query)),
    field('At least, ms', number('min_ms'), 'narrow'),
    field('At most, ms', number('max_ms'), 'narrow'),
    el('span', { class: 'break' }),
    field('From', time('from'), 'time'),
    field('To', time('to'), 'time'),
    field('Attribute', text('attribute', 'turn.kid=k1')),
    el('label', { class: 'check' }, other, 'Other traces'),
    limit);
  const count = el('p', { class: 'soft', role: 'status', 'data-testid': 'count' });
  const empty = el('div', { class: 'empty' });
  const list = callTable();
  const more = el('button', { type: 'button', 'data-testid': 'more' }, 'Show more');
  main.replaceChildren(el('div', { class: 'head' }, el('h1', {}, 'Calls'), count), form, el('div', { class: 'card flush' }, list.table, empty), more);

  let loads = 0;
  const load = async () => {
    const current = ++loads;
    const search = searchOf(form);
    history.replaceState(null, '', search.size ? `#/calls?${search}` : '#/calls');
    const { traces, matches } = await get('traces', Object.fromEntries(search));
    // The answer to an earlier search may come after that to a later one.
    if (current !== loads) return;
    count.textContent = matches > traces.length ? `Latest ${traces.length} of ${matches}` : `${matches} ${matches === 1 ? 'entry' : 'entries'}`;
    list.update(traces);
    list.table.hidden = !traces.length;
    empty.hidden = traces.length > 0;
    if (!traces.length) empty.replaceChildren(...nothing(search.size > 0));
    more.hidden = matches <= traces.length;
  };
  form.addEventListener('submit', event => event.preventDefault());
  form.addEventListener('input', () => void load());
  more.addEventListener('click', () => {
    limit.value = String((Number(limit.value) || pageLength) + pageLength);
    void load();
  });
  await load();
  return { changed: load };
}

/** @param {string} label @param {HTMLInputElement | HTMLSelectElement} input @param {string} [size] */
function field(label, input, size = '') {
  return el('label', { class: `field ${size}` }, label, input);
}

/** @param {string} name @param {Record<string, string>} options @param {URLSearchParams} query */
function choice(name, options, query) {
  const select = el('select', { name }, ...Object.entries(options).map(([value, label]) => el('option', { value }, label)));
  select.value = query.get(name) ?? '';
  return select;
}

/** The search as the address and the API have it. Times are in UTC there: an address is sent to people elsewhere. @param {HTMLFormElement} form */
function searchOf(form) {
  const search = new URLSearchParams();
  for (const [key, value] of new FormData(form)) {
    if (typeof value !== 'string' || !value.trim()) continue;
    search.set(key, key === 'from' || key === 'to' ? new Date(value).toISOString() : value.trim());
  }
  return search;
}

/** As a field of the type datetime-local has it. @param {string | null} utc */
function localTime(utc) {
  const time = new Date(utc ?? '');
  return Number.isNaN(time.getTime()) ? '' : new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/**
 * A table that is brought up to date row by row. A row that has not changed stays the same element, with the focus and the selected text
 * in it.
 */
function callTable() {
  const body = el('tbody', { role: 'rowgroup' });
  // The roles stay when the style sheet makes cards of the rows.
  const table = el('table', { class: 'calls', role: 'table', 'data-testid': 'calls' },
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...['Time', 'Call', 'Who', 'Outcome', 'Duration', 'Steps'].map(name => el('th', { role: 'columnheader', class: name === 'Duration' ? 'number' : '' }, name)))),
    body);
  /** @type {Map<string, { row: HTMLTableRowElement, content: string }>} */
  const shown = new Map();

  body.addEventListener('keydown', event => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const link = /** @type {Element} */ (event.target).closest('a');
    if (!step || !link) return;
    event.preventDefault();
    const links = [...body.querySelectorAll('a')];
    links[links.indexOf(link) + step]?.focus();
  });

  const update = (/** @type {any[]} */ calls) => {
    const focused = document.activeElement?.closest('tr');
    const present = new Set(calls.map(call => call.id));
    for (const [id, { row }] of shown) {
      if (present.has(id)) continue;
      row.remove();
      shown.delete(id);
    }
    let place = body.firstElementChild;
    for (const call of calls) {
      const content = JSON.stringify(call);
      const { row, content: before } = shown.get(call.id) ?? { row: el('tr', { role: 'row' }), content: '' };
      if (content !== before) fill(row, call);
      shown.set(call.id, { row, content });
      if (row === place) place = place.nextElementSibling;
      else body.insertBefore(row, place);
    }
    if (focused && body.contains(focused) && !focused.contains(document.activeElement)) focused.querySelector('a')?.focus({ preventScroll: true });
  };
  return { table, update };
}

/** @param {HTMLTableRowElement} row @param {any} call */
function fill(row, call) {
  const cell = (/** @type {string} */ name, /** @type {(Node | string | false)[]} */ ...children) => el('td', { role: 'cell', class: name }, ...children);
  const reason = reasonText(call);
  row.className = call.outcome === 'failed' ? 'failed' : '';
  row.replaceChildren(
    cell('time', el('time', { title: new Date(call.start).toLocaleString('en-GB') }, dayOf(call.start), clockTime(call.start))),
    cell('what', el('a', { href: `#/calls/${call.id}` }, callName(call)), ['relay_only', 'signalling'].includes(call.kind) && el('span', { class: 'soft' }, call.name)),
    cell('who', el('div', { class: 'people' }, ...call.who.map(personTag))),
    cell('outcome', el('span', { class: `is-${call.outcome}` }, outcomeText(call)), reason !== '' && el('span', { class: 'soft' }, reason)),
    cell('number took', duration(call.duration), call.set_up !== null && el('span', { class: 'soft' }, `set up in ${duration(call.set_up)}`)),
    cell('steps-cell', stepStrip(call.steps)));
}

/** Empty for today. @param {number} milliseconds */
function dayOf(milliseconds) {
  const time = new Date(milliseconds);
  return time.toDateString() === new Date().toDateString() ? '' : `${time.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })} `;
}

/** Which of the figure's eight steps the call has. @param {string[]} seen */
function stepStrip(seen) {
  if (!seen.length) return '';
  const strip = el('span', { class: 'steps', role: 'img', 'aria-label': `Steps ${seen.join(', ')} of 8` });
  for (let step = 1; step <= 8; step++) strip.append(el('i', { class: seen.includes(String(step)) ? 'seen' : '' }, String(step)));
  return strip;
}

/** @param {boolean} isSearch */
function nothing(isSearch) {
  return isSearch
    ? [el('strong', {}, 'No call fits this search'), el('p', {}, 'Remove a condition. New calls that fit appear by themselves.')]
    : [el('strong', {}, 'No calls yet'), el('p', {}, 'Make a call. It appears here within a second.')];
}
