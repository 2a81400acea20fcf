// @ts-check
// The frame: the list of calls or one call as the address says, the state of the feed, light or dark. A view is a function of its part
// of the page and of the address. The object that it returns is notified of changes.
import { Failure, listen } from './api.js';
import { byId, el } from './dom.js';
import { callView } from './views/call.js';
import { callsView } from './views/calls.js';

/**
 * `traces` are those that got spans or log records; null for all.
 * @typedef {{ traces: string[] | null }} Change
 * @typedef {{ changed: (change: Change) => void | Promise<void> }} View
 * @typedef {(main: HTMLElement, path: string[], query: URLSearchParams) => Promise<View>} Show
 */

const main = byId('main');
/** What is shown; nothing while it loads. @type {View | undefined} */
let view;
let visit = 0;

async function show() {
  const [address = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  // `#/traces/{id}` is the address of older links.
  const [, ...path] = address.split('/').map(decodeURIComponent);
  document.title = path[0] ? `Call ${path[0].slice(0, 8)} · FlowView` : 'Calls · FlowView';
  const link = byId('calls-link');
  if (path[0]) link.removeAttribute('aria-current');
  else link.setAttribute('aria-current', 'page');
  view = undefined;
  const current = ++visit;
  // A view that has been left must not draw over the next one.
  const place = el('div', { class: 'view' });
  main.replaceChildren(place);
  try {
    const shown = await (path[0] ? callView : callsView)(place, path, new URLSearchParams(query));
    if (current !== visit) return;
    view = shown;
  } catch (failure) {
    if (current !== visit) return;
    main.replaceChildren(problem(failure));
    // The spans of a new call are still on their way.
    view = { changed: show };
  }
  void notify();
}

/** @param {unknown} failure */
function problem(failure) {
  const text = failure instanceof Failure ? failure.message : 'FlowView does not answer. This page tries again by itself.';
  return el('div', { class: 'problem', role: 'alert', 'data-testid': 'problem' }, el('strong', {}, 'This cannot be shown'), el('p', {}, text));
}

/** @type {Change | undefined} */
let pending;
let isNotifying = false;

// A change that arrives while the view loads, or is busy with the last change, waits: the answer that the view gets may be older.
async function notify() {
  if (isNotifying) return;
  isNotifying = true;
  while (pending && view) {
    const change = pending;
    pending = undefined;
    try {
      await view.changed(change);
    } catch {
      // The next change tries again. The state of the connection is shown beside.
    }
  }
  isNotifying = false;
}

/** @param {Change | undefined} one @param {Change} other @returns {Change} */
function both(one, other) {
  return one ? { traces: one.traces && other.traces && [...new Set([...one.traces, ...other.traces])] } : other;
}

listen({
  // The first view loads when the feed has begun or cannot begin. So no change is missed, and nothing loads twice.
  state(state) {
    const live = byId('live');
    live.dataset.state = state;
    live.textContent = state === 'live' ? 'Live' : 'Connection lost';
    if (visit === 0) void show();
    else if (state === 'live') this.change({ traces: null });
  },
  change(change) {
    pending = both(pending, change);
    void notify();
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

bindTheme();
addEventListener('hashchange', () => void show());
