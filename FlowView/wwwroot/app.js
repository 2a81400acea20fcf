// @ts-check
// The frame: which view the address names, whether the feed is live, light or dark. A view is a function of its part of the
// page and of the address; what it returns is told of changes and of the end.
import { Failure, get, listen } from './api.js';
import { byId, el } from './dom.js';
import { logsView } from './views/logs.js';
import { metricsView } from './views/metrics.js';
import { resourcesView } from './views/resources.js';
import { tracesView } from './views/traces.js';
import { traceView } from './views/trace.js';

/**
 * @typedef {{ spans: boolean, logs: boolean, metrics: boolean, traces: string[] | null }} Change
 * @typedef {{ changed?: (change: Change) => void | Promise<void>, end?: () => void }} View
 * @typedef {(main: HTMLElement, path: string[], query: URLSearchParams) => Promise<View>} Show
 */

/** @type {Record<string, { title: string, show: Show }>} */
const views = {
  traces: { title: 'Traces', show: (main, path, query) => path[0] ? traceView(main, path, query) : tracesView(main, path, query) },
  logs: { title: 'Logs', show: logsView },
  metrics: { title: 'Metrics', show: metricsView },
  resources: { title: 'Resources', show: resourcesView },
};

const main = byId('main');
/** What is shown; nothing while it loads. @type {View | undefined} */
let view;
let visit = 0;

async function show() {
  const [address = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  const [name = '', ...path] = address.split('/').map(decodeURIComponent);
  const chosen = views[name] ?? views.traces;
  if (!chosen) return;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#/${name || 'traces'}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${path[0] ? `${path[0].slice(0, 8)} · ` : ''}${chosen.title} · FlowView`;
  view?.end?.();
  view = undefined;
  const current = ++visit;
  const place = el('div', { class: 'visually-hidden' });
  main.replaceChildren(place);
  try {
    const shown = await chosen.show(main, path, new URLSearchParams(query));
    if (current === visit) view = shown;
    else shown.end?.();
  } catch (failure) {
    if (current !== visit) return;
    view = {};
    main.replaceChildren(problem(failure));
  }
  void tell();
}

/** @param {unknown} failure */
function problem(failure) {
  const text = failure instanceof Failure ? failure.message : 'FlowView does not answer. This page tries again by itself.';
  return el('div', { class: 'problem', role: 'alert', 'data-testid': 'problem' }, el('strong', {}, 'That did not work'), el('p', {}, text));
}

/** @type {Change | undefined} */
let untold;
let isTelling = false;

// What arrives while the view loads or is busy with the last change is kept for it: its answer may be older than the change.
async function tell() {
  if (isTelling) return;
  isTelling = true;
  while (untold && view) {
    const change = untold;
    untold = undefined;
    try {
      await view.changed?.(change);
    } catch {
      // The next change tries again; the state of the connection says the rest.
    }
  }
  isTelling = false;
}

/** @param {Change | undefined} one @param {Change} other @returns {Change} */
function both(one, other) {
  if (!one) return other;
  return {
    spans: one.spans || other.spans,
    logs: one.logs || other.logs,
    metrics: one.metrics || other.metrics,
    traces: one.traces && other.traces && [...new Set([...one.traces, ...other.traces])],
  };
}

listen({
  change(change) {
    untold = both(untold, change);
    void tell();
  },
  state(state) {
    const live = byId('live');
    if (live.dataset.state === 'lost' && state === 'live' && document.querySelector('.problem')) void show();
    live.dataset.state = state;
    live.textContent = state === 'live' ? 'Live' : 'Connection lost';
  },
});

function bindTheme() {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (localStorage.getItem('theme') ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const apply = () => {
    const choice = localStorage.getItem('theme');
    if (choice) document.documentElement.dataset.theme = choice;
    byId('theme').textContent = isDark() ? 'Light' : 'Dark';
  };
  byId('theme').addEventListener('click', () => {
    localStorage.setItem('theme', isDark() ? 'light' : 'dark');
    apply();
  });
  system.addEventListener('change', apply);
  apply();
}

async function offerResources() {
  try {
    await get('resources');
    byId('resources-link').hidden = false;
  } catch {
    // This FlowView was not started by the embedded AppHost.
  }
}

bindTheme();
addEventListener('hashchange', () => void show());
void show();
void offerResources();
