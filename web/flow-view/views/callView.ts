import { el } from '../../shared/dom.ts';
import { drawForPage, toSvg } from '../../shared/ladder/drawing.ts';
import { type Ladder, ladderOf, nameOf } from '../../shared/ladder/ladder.ts';
import { toMermaid } from '../../shared/ladder/mermaid.ts';
import { formats, texts } from '../../shared/texts/language.ts';
import { type Call, get, type LogRecord, type ShownSpan, type TraceDetails } from '../api.ts';
import { callName, outcomeText, packetsText, personTag, reasonText } from '../call.ts';
import { copyButton, download, pairsTable, serviceTag } from '../dom.ts';
import type { Show } from './view.ts';

// One call: its ladder, its log records beside it, and everything that a selected span carries.

const { flow } = texts;

export const callView: Show = async (main, path, query) => {
  const [id = ''] = path;
  let selected = query.get('span') ?? '';
  let { call, spans, logs, meanwhile, viewers } = await get<TraceDetails>(`traces/${encodeURIComponent(id)}`);
  let ladder = ladderOf(spans);

  const title = el('h1', {});
  const outcome = el('p', { class: 'result', role: 'status' });
  const facts = el('div', { class: 'facts' });
  const heading = el('div', { class: 'card heading' },
    el('div', { class: 'head' }, title, el('div', { class: 'actions' },
      ...viewers.map(viewer => el('a', { class: 'button small', href: viewer.url, target: '_blank', rel: 'noopener', 'data-testid': 'viewer' }, flow.openIn(viewer.name))),
      copyButton(flow.copyTraceId, () => id, 'copy-id'))),
    outcome, facts);
  const scroll = el('div', { class: 'ladder-scroll', 'data-testid': 'ladder' });
  const picture = el('div', { class: 'card' },
    el('div', { class: 'head' },
      el('p', { class: 'soft' }, flow.ladderHint),
      el('div', { class: 'actions' },
        el('button', { type: 'button', class: 'small', 'data-testid': 'export-svg', onclick: () => download(`${id}.svg`, toSvg(ladder, isDark() ? 'dark' : 'light'), 'image/svg+xml') }, flow.saveSvg),
        copyButton(flow.copyMermaid, () => toMermaid(ladder), 'copy-mermaid'))),
    scroll);
  const details = el('section', { class: 'card details', 'aria-label': flow.selectedSpan, 'data-testid': 'details', hidden: true });
  const records = el('section', { class: 'card records', 'aria-label': flow.logRecords, 'data-testid': 'logs', hidden: true });
  const aside = el('div', { class: 'beside' }, details, records);
  const columns = el('div', { class: 'call' }, picture, aside);
  main.replaceChildren(heading, columns);

  const render = () => {
    title.textContent = callName(call);
    outcome.replaceChildren(...outcomeParts(call, ladder));
    facts.replaceChildren(...factsOf(call, logs.length));
    const focused = document.activeElement?.getAttribute('data-span');
    // The panels beside the ladder decide how much room it has.
    showRecords();
    scroll.replaceChildren(...(ladder.rows.length ? drawForPage(ladder, scroll.clientWidth) : [nothingToDraw()]));
    if (focused) scroll.querySelector<SVGElement>(`[data-span="${focused}"]`)?.focus({ preventScroll: true });
    showSelected();
  };
  const showRecords = () => {
    // A record that is open is being read.
    if (!records.querySelector('details[open]')) records.replaceChildren(...recordList(logs, meanwhile));
    records.hidden = !logs.length && !meanwhile.length;
    columns.classList.toggle('with-records', !records.hidden);
  };
  const showSelected = () => {
    for (const row of main.querySelectorAll('[data-span]')) {
      const isSelected = selected !== '' && row.getAttribute('data-span') === selected;
      row.classList.toggle('selected', isSelected);
      if (row.matches('svg .row')) row.setAttribute('aria-current', String(isSelected));
    }
    const span = spans.find(candidate => candidate.id === selected);
    details.hidden = !span;
    if (span) details.replaceChildren(...spanDetails(span, spans, () => select(span.id)));
  };
  const select = (span: string) => {
    selected = span === selected ? '' : span;
    history.replaceState(null, '', `#/calls/${id}${selected && `?span=${selected}`}`);
    showSelected();
    // On a narrow page the details are below the ladder.
    details.scrollIntoView({ block: 'nearest' });
  };

  scroll.addEventListener('click', event => {
    const row = (event.target as Element).closest('.row');
    if (row) select(row.getAttribute('data-span') ?? '');
  });
  scroll.addEventListener('keydown', event => {
    const row = (event.target as Element).closest<SVGElement>('.row');
    if (!row) return;
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step) {
      const rows = [...scroll.querySelectorAll<SVGElement>('.row')];
      rows[rows.indexOf(row) + step]?.focus();
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
  let width = scroll.clientWidth;
  const resize = new ResizeObserver(() => {
    // Another view has taken the place of this one.
    if (!scroll.isConnected) return resize.disconnect();
    if (scroll.clientWidth === width) return;
    width = scroll.clientWidth;
    render();
  });
  resize.observe(scroll);
  return {
    changed: async change => {
      if (change.traces && !change.traces.includes(id)) return;
      ({ call, spans, logs, meanwhile } = await get<TraceDetails>(`traces/${encodeURIComponent(id)}`));
      ladder = ladderOf(spans);
      render();
      isFound ||= findCause();
    },
  };
};

function outcomeParts(call: Call, ladder: Ladder) {
  const parts = [el('span', { class: `is-${call.outcome}` }, outcomeText(call))];
  const reason = ladder.cause
    ? (call.outcome === 'failed' ? flow.failedAt : flow.partFailed)(flow.arrow(ladder.cause.number, ladder.cause.label, ladder.cause.reason))
    : reasonText(call);
  if (reason && call.outcome !== 'cancelled') parts.push(el('span', { 'data-testid': 'cause' }, reason));
  return parts;
}

function factsOf(call: Call, records: number) {
  return [
    el('code', {}, call.id),
    el('span', {}, formats.dateTime(call.start)),
    el('span', {}, formats.spanDuration(call.duration)),
    ...(call.set_up === null ? [] : [el('span', {}, flow.setUpIn(formats.spanDuration(call.set_up)))]),
    ...(packetsText(call) ? [el('span', {}, packetsText(call))] : []),
    el('span', {}, flow.spans(call.spans)),
    el('span', {}, flow.records(records)),
    ...call.who.map(personTag),
  ];
}

function nothingToDraw() {
  return el('div', { class: 'empty' }, el('strong', {}, flow.noRequests), el('p', {}, flow.noRequestsHint));
}

function isDark() {
  const { colorScheme } = getComputedStyle(document.documentElement);
  return colorScheme === 'dark' || (colorScheme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
}

function recordList(logs: LogRecord[], meanwhile: LogRecord[]) {
  return [
    el('div', { 'data-testid': 'logs-of-call' }, el('h2', {}, flow.logRecordsCount(logs.length)), ...merged(logs).map(record)),
    ...(meanwhile.length ? [el('h3', {}, flow.meanwhile(meanwhile.length)), ...merged(meanwhile).map(record)] : []),
  ];
}

/** Equal records that follow each other are one with a count, such as those of a browser's allocations. */
function merged(logs: LogRecord[]) {
  const groups: { log: LogRecord; count: number }[] = [];
  for (const log of logs) {
    const last = groups.at(-1);
    if (last && last.log.text === log.text && last.log.service === log.service) last.count++;
    else groups.push({ log, count: 1 });
  }
  return groups;
}

function record({ log, count }: { log: LogRecord; count: number }) {
  const level = levelOf(log.severity);
  return el('details', { 'data-span': log.span || undefined },
    el('summary', {}, el('span', { class: 'soft' }, formats.clockTime(log.time)), ' ', el('span', { class: `level level-${level}` }, flow.levels[level]), ' ', serviceTag(log.service), ' ',
      el('span', { class: 'log-text' }, log.text), count > 1 && ` ×${count}`),
    el('p', { class: 'soft' }, log.category), pairsTable(log.attributes));
}

const levels = ['trace', 'debug', 'information', 'warning', 'error', 'fatal'] as const;

/** `severity` is that of OTLP, 1 to 24. */
function levelOf(severity: number) {
  return levels[Math.max(0, Math.ceil(severity / 4) - 1)] ?? 'fatal';
}

function spanDetails(span: ShownSpan, spans: ShownSpan[], close: () => void) {
  const parent = spans.find(candidate => candidate.id === span.parent);
  return [
    el('div', { class: 'head' }, el('h2', {}, nameOf(span)), el('button', { type: 'button', class: 'small', 'aria-label': flow.closeDetails, onclick: close }, '✕')),
    el('p', { class: 'facts' }, serviceTag(span.service), el('span', {}, span.kind), el('span', {}, formats.spanDuration(span.duration)), el('span', {}, formats.clockTime(span.start))),
    span.error ? el('p', { class: 'is-failed' }, `✗ ${span.message || span.attributes['error.type'] || flow.failed}`) : '',
    el('h3', {}, flow.attributes), pairsTable(span.attributes),
    ...(span.events.length ? [el('h3', {}, flow.events), ...span.events.map(event => el('details', {}, el('summary', {}, `${event.name} +${formats.spanDuration(event.time - span.start)}`), pairsTable(event.attributes)))] : []),
    ...(span.links.length ? [el('h3', {}, flow.links), ...span.links.map(link => el('p', {}, el('a', { href: `#/calls/${link.trace}?span=${link.span}` }, link.trace)))] : []),
    el('h3', {}, flow.where),
    pairsTable({ [flow.span]: span.id, [flow.parent]: parent ? `${parent.name} (${span.parent})` : span.parent || flow.none, [flow.source]: span.scope }),
    el('details', {}, el('summary', {}, flow.resource), pairsTable(span.resource)),
  ].filter(part => part !== '');
}
