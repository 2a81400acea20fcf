import { el } from '../../shared/dom.ts';
import { formats, texts } from '../../shared/texts/language.ts';
import { type Call, type CallList, Failure, get } from '../api.ts';
import { callName, outcomeText, packetsText, personTag, reasonText } from '../call.ts';
import type { Show } from './view.ts';

// The calls and registrations that fit a search, latest first.

const { flow } = texts;
const pageLength = 50;

const outcomes = { '': flow.all, ...flow.outcomes };
const parts = { '': flow.all, ...Object.fromEntries(Object.entries(texts.ladder.lanes).filter(([id]) => id !== 'user' && id !== 'peer').map(([id, lane]) => [id, lane.name])) };
const kinds = { '': flow.all, ...flow.kinds, signalling: flow.allSignalling };

export const callsView: Show = async (main, _path, query) => {
  const text = (name: string, placeholder = '') => el('input', { name, value: query.get(name) ?? '', placeholder });
  const number = (name: string) => el('input', { name, type: 'number', min: '0', value: query.get(name) ?? '' });
  const time = (name: string) => el('input', { name, type: 'datetime-local', value: localTime(query.get(name)) });
  const hidden = (name: string) => el('input', { name, type: 'hidden', value: query.get(name) ?? '' });
  const [page, until] = [hidden('page'), hidden('until')];
  const other = el('input', { type: 'checkbox', name: 'other', value: 'true', checked: query.get('other') === 'true' });
  // On a narrow page the conditions would hide the list.
  const unfold = el('button', { type: 'button', class: 'unfold small', 'aria-expanded': 'false' }, flow.moreConditions);
  const form = el('form', { class: 'card filters', 'aria-label': flow.searchCalls },
    field(flow.text, text('text', 'guest'), 'wide'),
    unfold,
    field(flow.outcome, choice('outcome', outcomes, query)),
    field(flow.kind, choice('kind', kinds, query)),
    field(flow.part, choice('part', parts, query)),
    field(flow.atLeast, number('min_ms'), 'narrow'),
    field(flow.atMost, number('max_ms'), 'narrow'),
    el('span', { class: 'break' }),
    field(flow.from, time('from'), 'time'),
    field(flow.to, time('to'), 'time'),
    field(flow.attribute, text('attribute', 'turn.kid=k1')),
    el('label', { class: 'check' }, other, flow.other),
    page, until);
  const count = el('p', { class: 'soft', role: 'status', 'data-testid': 'count' });
  const empty = el('div', { class: 'empty' });
  const list = callTable();
  /** Page 1 is live. The others are those of the calls that there were when the reader left page 1, so that they do not move. */
  const go = (number: number) => {
    if (number > 1 && !until.value) until.value = newest;
    page.value = number > 1 ? String(number) : '';
    if (number <= 1) until.value = '';
    history.pushState(null, '', addressOf(form));
    void load();
    scrollTo({ top: 0 });
  };
  const current = () => Number(page.value) || 1;
  const pageButton = (label: string, target: () => number) => el('button', { type: 'button', onclick: () => go(target()) }, label);
  const first = pageButton(flow.newest, () => 1);
  const previous = pageButton(flow.previous, () => current() - 1);
  const next = pageButton(flow.next, () => current() + 1);
  const pages = el('nav', { class: 'pages', 'aria-label': flow.pages, 'data-testid': 'pages' }, first, previous, next);
  main.replaceChildren(el('div', { class: 'head' }, el('h1', {}, flow.calls), count), form, el('div', { class: 'card flush' }, list.table, empty), pages);

  let loads = 0;
  let newest = '';
  const load = async () => {
    const currentLoad = ++loads;
    history.replaceState(null, '', addressOf(form));
    const { traces, matches, problem } = await find(searchOf(form));
    // The answer to an earlier search may come after that to a later one.
    if (currentLoad !== loads) return;
    const skipped = (current() - 1) * pageLength;
    if (skipped === 0) newest = String(traces[0]?.arrival ?? '');
    count.textContent = matches > traces.length && traces.length ? flow.range(skipped + 1, skipped + traces.length, matches) : flow.entries(matches);
    list.update(traces);
    list.table.hidden = !traces.length;
    empty.hidden = traces.length > 0;
    if (!traces.length) empty.replaceChildren(...nothing(searchOf(form).size > 0, problem));
    pages.hidden = matches <= pageLength && current() === 1;
    first.disabled = previous.disabled = current() === 1;
    next.disabled = skipped + traces.length >= matches;
  };
  const showConditions = (shown: boolean) => {
    form.classList.toggle('unfolded', shown);
    unfold.setAttribute('aria-expanded', String(shown));
  };
  unfold.addEventListener('click', () => showConditions(!form.classList.contains('unfolded')));
  showConditions([...query.keys()].some(key => !['text', 'page', 'until'].includes(key)));
  form.addEventListener('submit', event => event.preventDefault());
  form.addEventListener('input', () => {
    page.value = until.value = '';
    void load();
  });
  await load();
  return { changed: load };
};

function field(label: string, input: HTMLInputElement | HTMLSelectElement, size: string = '') {
  return el('label', { class: `field ${size}` }, label, input);
}

function choice(name: string, options: Record<string, string>, query: URLSearchParams) {
  const select = el('select', { name }, ...Object.entries(options).map(([value, label]) => el('option', { value }, label)));
  select.value = query.get(name) ?? '';
  return select;
}

/** The search as the address and the API have it. Times are in UTC there: an address is sent to people elsewhere. */
function searchOf(form: HTMLFormElement) {
  const search = new URLSearchParams();
  for (const [key, value] of new FormData(form)) {
    if (typeof value !== 'string' || !value.trim()) continue;
    search.set(key, key === 'from' || key === 'to' ? new Date(value).toISOString() : value.trim());
  }
  return search;
}

/** Nothing and a sentence for a search that the server does not understand, because the reader may still be typing. */
async function find(search: URLSearchParams): Promise<CallList & { problem?: string }> {
  try {
    return await get<CallList>('traces', Object.fromEntries(search) as Record<string, string>);
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    return { traces: [], matches: 0, problem: failure.message };
  }
}

function addressOf(form: HTMLFormElement) {
  const search = searchOf(form);
  return search.size ? `#/calls?${search}` : '#/calls';
}

/** As a field of the type datetime-local has it. */
function localTime(utc: string | null) {
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
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...Object.entries(flow.columns).map(([name, text]) => el('th', { role: 'columnheader', class: name === 'duration' ? 'number' : '' }, text)))),
    body);
  const shown: Map<string, { row: HTMLTableRowElement, content: string }> = new Map();

  body.addEventListener('keydown', event => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const link = (event.target as Element).closest('a');
    if (!step || !link) return;
    event.preventDefault();
    const links = [...body.querySelectorAll('a')];
    links[links.indexOf(link) + step]?.focus();
  });

  const update = (calls: Call[]) => {
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

function fill(row: HTMLTableRowElement, call: Call) {
  const cell = (name: string, ...children: (Node | string | false)[]) => el('td', { role: 'cell', class: name }, ...children);
  const reason = reasonText(call);
  const packets = packetsText(call);
  row.className = call.outcome === 'failed' ? 'failed' : '';
  const cells = [
    cell('time', el('time', { title: formats.dateTime(call.start) }, dayOf(call.start), formats.clockTime(call.start))),
    cell('what', el('a', { href: `#/calls/${call.id}` }, callName(call)), ['relay_only', 'signalling'].includes(call.kind) && el('span', { class: 'soft' }, call.name)),
    cell('who', el('div', { class: 'people' }, ...call.who.map(personTag))),
    cell('outcome', el('span', { class: `is-${call.outcome}` }, outcomeText(call)), reason !== '' && el('span', { class: 'soft' }, reason)),
    cell('number took', formats.spanDuration(call.duration), call.set_up !== null && el('span', { class: 'soft' }, flow.setUpIn(formats.spanDuration(call.set_up))), packets !== '' && el('span', { class: call.packets_lost ? 'soft is-lossy' : 'soft' }, packets)),
    cell('steps-cell', stepStrip(call.steps)),
  ];
  if (row.childElementCount === 0) row.append(...cells);
  // The browser sees no click when the link is replaced while the button is down. So a cell that has not changed stays.
  for (const [i, now] of [...row.children].entries()) if (!now.isEqualNode(cells[i]!)) now.replaceWith(cells[i]!);
}

/** Empty for today. */
function dayOf(milliseconds: number) {
  const time = new Date(milliseconds);
  return time.toDateString() === new Date().toDateString() ? '' : `${formats.day(milliseconds)} `;
}

/** Which of the figure's eight steps the call has. */
function stepStrip(seen: string[]) {
  if (!seen.length) return '';
  const strip = el('span', { class: 'steps', role: 'img', 'aria-label': flow.stepsOf8(seen.join(', ')) });
  for (let step = 1; step <= 8; step++) strip.append(el('i', { class: seen.includes(String(step)) ? 'seen' : '' }, String(step)));
  return strip;
}

function nothing(isSearch: boolean, problem?: string) {
  if (problem) return [el('strong', {}, problem)];
  return isSearch
    ? [el('strong', {}, flow.nothingFits), el('p', {}, flow.removeCondition)]
    : [el('strong', {}, flow.noCalls), el('p', {}, flow.makeACall)];
}
