// @ts-check
// One trace: as the ladder of the figure, as a waterfall, and its log records. A selected span shows all that it carries.
import { get } from '../api.js';
import { clockTime, copyButton, download, el, pairsTable, serviceTag } from '../dom.js';
import { draw, duration, fromPage, toElement, toSvg } from '../ladder/drawing.js';
import { ladderOf, nameOf } from '../ladder/ladder.js';
import { toMermaid } from '../ladder/mermaid.js';
import { logTable } from './logs.js';
import { waterfall } from './waterfall.js';

const tabs = ['ladder', 'waterfall', 'logs'];

/** @type {import('../app.js').Show} */
export async function traceView(main, path, query) {
  const [id = ''] = path;
  let tab = tabs.includes(query.get('view') ?? '') ? /** @type {string} */ (query.get('view')) : 'ladder';
  let selected = query.get('span') ?? '';
  let causeShown = false;
  /** @type {any[]} */
  let spans = [];
  /** @type {any[]} */
  let logs = [];

  const heading = el('div', { class: 'card' });
  const tabBar = el('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Ways to look at the trace' });
  const panel = el('div', { role: 'tabpanel', 'data-testid': 'panel' });
  const details = el('aside', { class: 'card details', 'aria-label': 'Selected span', 'data-testid': 'details', hidden: true });
  const columns = el('div', { class: 'trace' }, panel, details);
  main.replaceChildren(heading, tabBar, columns);

  const load = async () => {
    const [trace, joined] = await Promise.all([get(`traces/${encodeURIComponent(id)}`), get('logs', { trace: id, limit: '1000' })]);
    spans = trace.spans;
    logs = joined.logs.reverse();
    render();
  };
  const render = () => {
    const ladder = ladderOf(spans);
    heading.replaceChildren(...summary(id, spans, ladder));
    tabBar.replaceChildren(...tabs.map(name => el('button', {
      type: 'button', role: 'tab', 'aria-selected': String(name === tab), tabIndex: name === tab ? 0 : -1, 'data-testid': `tab-${name}`,
      onclick: () => choose(name),
    }, name === 'logs' ? `Logs (${logs.length})` : name === 'ladder' ? 'Ladder' : 'Waterfall')));
    const scrolled = panel.querySelector('.ladder-scroll')?.scrollTop ?? 0;
    const focused = document.activeElement?.getAttribute('data-span');
    panel.replaceChildren(tab === 'ladder' ? ladderPanel(ladder, id) : tab === 'waterfall' ? waterfall(spans, select) : logs.length ? el('div', { class: 'card flush' }, logTable(logs, false)) : noLogs());
    const scroll = panel.querySelector('.ladder-scroll');
    if (scroll) scroll.scrollTop = scrolled;
    // What failed is what the page was opened for; once shown, the place is the reader's.
    if (ladder.cause && !causeShown) panel.querySelector('.row.cause')?.scrollIntoView({ block: 'nearest' });
    causeShown ||= ladder.cause !== undefined;
    if (focused) /** @type {HTMLElement | null} */ (panel.querySelector(`[data-span="${focused}"]`))?.focus({ preventScroll: true });
    showSelected();
  };
  const choose = (/** @type {string} */ name) => {
    tab = name;
    remember();
    render();
    /** @type {HTMLElement | null} */ (tabBar.querySelector('[aria-selected="true"]'))?.focus();
  };
  const select = (/** @type {string} */ span) => {
    selected = span === selected ? '' : span;
    remember();
    showSelected();
  };
  const showSelected = () => {
    for (const row of panel.querySelectorAll('[data-span]')) {
      const isSelected = selected !== '' && row.getAttribute('data-span') === selected;
      row.classList.toggle('selected', isSelected);
      row.setAttribute(row.matches('button') ? 'aria-pressed' : 'aria-current', String(isSelected));
    }
    const span = spans.find(candidate => candidate.id === selected);
    details.hidden = !span;
    columns.classList.toggle('with-details', Boolean(span));
    if (span) details.replaceChildren(...spanDetails(span, spans, logs, () => select(span.id)));
  };
  const remember = () => {
    const parameters = new URLSearchParams();
    if (tab !== 'ladder') parameters.set('view', tab);
    if (selected) parameters.set('span', selected);
    history.replaceState(null, '', `#/traces/${id}${parameters.size ? `?${parameters}` : ''}`);
  };

  // The rows of the waterfall are buttons; those of the drawing behave like them.
  panel.addEventListener('click', event => {
    const row = /** @type {Element} */ (event.target).closest('svg .row');
    if (row) select(row.getAttribute('data-span') ?? '');
  });
  panel.addEventListener('keydown', event => {
    const row = /** @type {Element} */ (event.target).closest('[data-span]');
    if (!row) return;
    if ((event.key === 'Enter' || event.key === ' ') && row.matches('svg .row')) {
      event.preventDefault();
      select(row.getAttribute('data-span') ?? '');
    }
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    event.preventDefault();
    const rows = [...panel.querySelectorAll('[data-span]')];
    const next = /** @type {HTMLElement | undefined} */ (rows[rows.indexOf(row) + (event.key === 'ArrowDown' ? 1 : -1)]);
    next?.focus();
  });
  tabBar.addEventListener('keydown', event => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step) choose(/** @type {string} */ (tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length]));
  });

  await load();
  return {
    changed: change => change.traces === null || change.traces.includes(id) || (change.logs && tab === 'logs') ? load() : undefined,
  };
}

/** @param {string} id @param {any[]} spans @param {import('../ladder/ladder.js').Ladder} ladder */
function summary(id, spans, ladder) {
  const ids = new Set(spans.map(span => span.id));
  const root = spans.find(span => !span.parent) ?? spans.find(span => !ids.has(span.parent)) ?? spans[0];
  const failures = spans.filter(span => span.error).length;
  const services = [...new Set(spans.map(span => span.service))];
  return [
    el('div', { class: 'head' }, el('h1', {}, nameOf(root)), copyButton('Copy trace id', () => id, 'copy-id')),
    el('div', { class: 'facts' },
      el('code', {}, id),
      el('span', {}, new Date(root.start).toLocaleString('en-GB')),
      el('span', {}, duration(ladder.duration)),
      el('span', {}, `${spans.length} spans`),
      ...services.map(serviceTag),
      failures > 0 && el('span', { class: 'failures' }, `✗ ${failures} failed`)),
    ladder.cause ? el('p', { class: 'failures', role: 'status', 'data-testid': 'cause' }, `Failed ${ladder.cause.number ? `at step ${ladder.cause.number}, ` : ''}“${ladder.cause.label}”: ${ladder.cause.reason}`) : '',
  ].filter(part => part !== '');
}

/** @param {import('../ladder/ladder.js').Ladder} ladder @param {string} id */
function ladderPanel(ladder, id) {
  if (!ladder.rows.length) return el('div', { class: 'card empty' }, el('strong', {}, 'Nothing went from one part to another'), el('p', {}, 'The waterfall shows what happened inside.'));
  const isDark = getComputedStyle(document.documentElement).colorScheme === 'dark' || (getComputedStyle(document.documentElement).colorScheme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  return el('div', { class: 'card' },
    el('div', { class: 'head' },
      el('p', { class: 'soft' }, 'Numbers are the steps of figure X.5.3.2-1, 3GPP TS 33.203. Times at the left count from the start of the trace. Select a row for its span.'),
      el('div', { class: 'ladder-actions' },
        el('button', { type: 'button', class: 'small', 'data-testid': 'export-svg', onclick: () => download(`${id}.svg`, toSvg(ladder, isDark ? 'dark' : 'light'), 'image/svg+xml') }, 'Save as SVG'),
        copyButton('Copy as Mermaid', () => toMermaid(ladder), 'copy-mermaid'))),
    scrollable(toElement(draw(ladder, fromPage))));
}

/** @param {SVGElement} picture */
function scrollable(picture) {
  const scroll = el('div', { class: 'ladder-scroll', 'data-testid': 'ladder' });
  scroll.append(picture);
  return scroll;
}

function noLogs() {
  return el('div', { class: 'card empty' }, el('strong', {}, 'No log records in this trace'), el('p', {}, 'Parts log what a person should know; a call that goes well needs few words.'));
}

/** @param {any} span @param {any[]} spans @param {any[]} logs @param {() => void} close */
function spanDetails(span, spans, logs, close) {
  const own = logs.filter(log => log.span === span.id);
  const parent = spans.find(candidate => candidate.id === span.parent);
  return [
    el('div', { class: 'head' }, el('h2', {}, nameOf(span)), el('button', { type: 'button', class: 'small', 'aria-label': 'Close details', onclick: close }, '✕')),
    el('p', { class: 'facts' }, serviceTag(span.service), el('span', {}, span.kind), el('span', {}, duration(span.duration)), el('span', {}, clockTime(span.start))),
    span.error ? el('p', { class: 'failures' }, `✗ ${span.message || span.attributes['error.type'] || 'failed'}`) : '',
    el('h3', {}, 'Attributes'), pairsTable(span.attributes),
    ...(span.events.length ? [el('h3', {}, 'Events'), ...span.events.map((/** @type {any} */ event) => el('details', {}, el('summary', {}, `${event.name} +${duration(event.time - span.start)}`), pairsTable(event.attributes)))] : []),
    ...(span.links.length ? [el('h3', {}, 'Links'), ...span.links.map((/** @type {any} */ link) => el('p', {}, el('a', { href: `#/traces/${link.trace}?span=${link.span}` }, link.trace)))] : []),
    ...(own.length ? [el('h3', {}, 'Log records'), ...own.map(log => el('p', { class: 'mono' }, log.text))] : []),
    el('h3', {}, 'Where'),
    pairsTable({ span: span.id, parent: parent ? `${parent.name} (${span.parent})` : span.parent || 'none', source: span.scope }),
    el('details', {}, el('summary', {}, 'Resource'), pairsTable(span.resource)),
  ].filter(part => part !== '');
}
