// @ts-check
// One call: its ladder, its log records beside it, and everything that a selected span carries.
import { get } from '../api.js';
import { callName, outcomeText, personTag, reasonText } from '../call.js';
import { clockTime, copyButton, download, el, pairsTable, serviceTag } from '../dom.js';
import { draw, duration, fromPage, toElement, toSvg } from '../ladder/drawing.js';
import { ladderOf, nameOf } from '../ladder/ladder.js';
import { toMermaid } from '../ladder/mermaid.js';

/** @type {import('../app.js').Show} */
export async function callView(main, path, query) {
  const [id = ''] = path;
  let selected = query.get('span') ?? '';
  let { call, spans, logs, viewers } = await get(`traces/${encodeURIComponent(id)}`);
  let ladder = ladderOf(spans);

  const title = el('h1', {});
  const outcome = el('p', { class: 'result', role: 'status' });
  const facts = el('div', { class: 'facts' });
  const heading = el('div', { class: 'card heading' },
    el('div', { class: 'head' }, title, el('div', { class: 'actions' },
      ...viewers.map((/** @type {{ name: string, url: string }} */ viewer) => el('a', { class: 'button small', href: viewer.url, target: '_blank', rel: 'noopener', 'data-testid': 'viewer' }, viewer.name)),
      copyButton('Copy trace id', () => id, 'copy-id'))),
    outcome, facts);
  const scroll = el('div', { class: 'ladder-scroll', 'data-testid': 'ladder' });
  const picture = el('div', { class: 'card' },
    el('div', { class: 'head' },
      el('p', { class: 'soft' }, 'The numbers are the steps of figure X.5.3.2-1, 3GPP TS 33.203. The times count from the start. Select a row to see its span.'),
      el('div', { class: 'actions' },
        el('button', { type: 'button', class: 'small', 'data-testid': 'export-svg', onclick: () => download(`${id}.svg`, toSvg(ladder, isDark() ? 'dark' : 'light'), 'image/svg+xml') }, 'Save as SVG'),
        copyButton('Copy as Mermaid', () => toMermaid(ladder), 'copy-mermaid'))),
    scroll);
  const details = el('section', { class: 'card details', 'aria-label': 'Selected span', 'data-testid': 'details', hidden: true });
  const records = el('section', { class: 'card records', 'aria-label': 'Log records', 'data-testid': 'logs', hidden: true });
  const aside = el('div', { class: 'beside' }, details, records);
  const columns = el('div', { class: 'call' }, picture, aside);
  main.replaceChildren(heading, columns);

  const render = () => {
    title.textContent = callName(call);
    outcome.replaceChildren(...outcomeParts(call, ladder));
    facts.replaceChildren(...factsOf(call, logs.length));
    const focused = document.activeElement?.getAttribute('data-span');
    scroll.replaceChildren(ladder.rows.length ? toElement(draw(ladder, fromPage)) : nothingToDraw());
    if (focused) /** @type {HTMLElement | null} */ (scroll.querySelector(`[data-span="${focused}"]`))?.focus({ preventScroll: true });
    // A record that is open is being read.
    if (!records.querySelector('details[open]')) records.replaceChildren(el('h2', {}, `Log records (${logs.length})`), ...logs.map(record));
    records.hidden = !logs.length;
    showSelected();
  };
  const showSelected = () => {
    for (const row of main.querySelectorAll('[data-span]')) {
      const isSelected = selected !== '' && row.getAttribute('data-span') === selected;
      row.classList.toggle('selected', isSelected);
      if (row.matches('svg .row')) row.setAttribute('aria-current', String(isSelected));
    }
    const span = spans.find((/** @type {any} */ candidate) => candidate.id === selected);
    details.hidden = !span;
    columns.classList.toggle('with-details', Boolean(span));
    columns.classList.toggle('with-records', logs.length > 0);
    if (span) details.replaceChildren(...spanDetails(span, spans, () => select(span.id)));
  };
  const select = (/** @type {string} */ span) => {
    selected = span === selected ? '' : span;
    history.replaceState(null, '', `#/calls/${id}${selected && `?span=${selected}`}`);
    showSelected();
    // On a narrow page the details are below the ladder.
    details.scrollIntoView({ block: 'nearest' });
  };

  scroll.addEventListener('click', event => {
    const row = /** @type {Element} */ (event.target).closest('.row');
    if (row) select(row.getAttribute('data-span') ?? '');
  });
  scroll.addEventListener('keydown', event => {
    const row = /** @type {Element} */ (event.target).closest('.row');
    if (!row) return;
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step) {
      const rows = [...scroll.querySelectorAll('.row')];
      /** @type {HTMLElement | undefined} */ (rows[rows.indexOf(row) + step])?.focus();
    } else if (event.key === 'Enter' || event.key === ' ') select(row.getAttribute('data-span') ?? '');
    else return;
    event.preventDefault();
  });

  /** What the page was opened for comes into view once; then the place is the reader's. */
  const findCause = () => {
    const row = scroll.querySelector(selected ? '.row.selected' : '.row.cause');
    row?.scrollIntoView({ block: 'nearest' });
    return row !== null;
  };
  render();
  let isFound = findCause();
  return {
    changed: async change => {
      if (change.traces && !change.traces.includes(id)) return;
      ({ call, spans, logs } = await get(`traces/${encodeURIComponent(id)}`));
      ladder = ladderOf(spans);
      render();
      isFound ||= findCause();
    },
  };
}

/** @param {import('../call.js').Call} call @param {import('../ladder/ladder.js').Ladder} ladder */
function outcomeParts(call, ladder) {
  const parts = [el('span', { class: `is-${call.outcome}` }, outcomeText(call))];
  const reason = ladder.cause
    ? `${call.outcome === 'failed' ? 'At' : 'A part failed:'} ${ladder.cause.number ? `step ${ladder.cause.number}, ` : ''}“${ladder.cause.label}”: ${ladder.cause.reason}`
    : reasonText(call);
  if (reason && call.outcome !== 'cancelled') parts.push(el('span', { 'data-testid': 'cause' }, reason));
  return parts;
}

/** @param {import('../call.js').Call} call @param {number} records */
function factsOf(call, records) {
  return [
    el('code', {}, call.id),
    el('span', {}, new Date(call.start).toLocaleString('en-GB')),
    el('span', {}, duration(call.duration)),
    ...(call.set_up === null ? [] : [el('span', {}, `set up in ${duration(call.set_up)}`)]),
    el('span', {}, `${call.spans} spans`),
    el('span', {}, records === 1 ? '1 log record' : `${records || 'no'} log records`),
    ...call.who.map(personTag),
  ];
}

function nothingToDraw() {
  return el('div', { class: 'empty' }, el('strong', {}, 'No part has called another one'), el('p', {}, 'The ladder shows requests between parts. This trace has none.'));
}

function isDark() {
  const { colorScheme } = getComputedStyle(document.documentElement);
  return colorScheme === 'dark' || (colorScheme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
}

/** @param {any} log */
function record(log) {
  const level = levelOf(log.severity);
  return el('details', { 'data-span': log.span || undefined },
    el('summary', {}, el('span', { class: 'soft' }, clockTime(log.time)), ' ', el('span', { class: `level level-${level}` }, level), ' ', serviceTag(log.service), ' ', el('span', { class: 'log-text' }, log.text)),
    el('p', { class: 'soft' }, log.category), pairsTable(log.attributes));
}

/** @param {number} severity of OTLP, 1 to 24 */
function levelOf(severity) {
  return ['trace', 'debug', 'information', 'warning', 'error', 'fatal'][Math.max(0, Math.ceil(severity / 4) - 1)] ?? 'unknown';
}

/** @param {any} span @param {any[]} spans @param {() => void} close */
function spanDetails(span, spans, close) {
  const parent = spans.find(candidate => candidate.id === span.parent);
  return [
    el('div', { class: 'head' }, el('h2', {}, nameOf(span)), el('button', { type: 'button', class: 'small', 'aria-label': 'Close details', onclick: close }, '✕')),
    el('p', { class: 'facts' }, serviceTag(span.service), el('span', {}, span.kind), el('span', {}, duration(span.duration)), el('span', {}, clockTime(span.start))),
    span.error ? el('p', { class: 'is-failed' }, `✗ ${span.message || span.attributes['error.type'] || 'failed'}`) : '',
    el('h3', {}, 'Attributes'), pairsTable(span.attributes),
    ...(span.events.length ? [el('h3', {}, 'Events'), ...span.events.map((/** @type {any} */ event) => el('details', {}, el('summary', {}, `${event.name} +${duration(event.time - span.start)}`), pairsTable(event.attributes)))] : []),
    ...(span.links.length ? [el('h3', {}, 'Links'), ...span.links.map((/** @type {any} */ link) => el('p', {}, el('a', { href: `#/calls/${link.trace}?span=${link.span}` }, link.trace)))] : []),
    el('h3', {}, 'Where'),
    pairsTable({ span: span.id, parent: parent ? `${parent.name} (${span.parent})` : span.parent || 'none', source: span.scope }),
    el('details', {}, el('summary', {}, 'Resource'), pairsTable(span.resource)),
  ].filter(part => part !== '');
}
