import { el, find } from '../shared/dom.ts';
import { fillTexts } from '../shared/texts/fillTexts.ts';
import { texts } from '../shared/texts/language.ts';
import { problemText } from '../shared/texts/problemText.ts';
import { bindTheme } from '../shared/theme.ts';
import { type Change, Failure, listen } from './api.ts';
import { callsView } from './views/callsView.ts';
import { callView } from './views/callView.ts';
import type { View } from './views/view.ts';

// The frame: the list of calls or one call as the address says, the state of the feed, light or dark.

fillTexts(texts.flowPage);

const main = find('main');
/** What is shown; nothing while it loads. */
let view: View | undefined;
let visit = 0;

async function show() {
  const [address = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  // `#/traces/{id}` is the address of older links.
  const [, ...path] = address.split('/').map(decodeURIComponent);
  document.title = path[0] ? texts.flow.titleOfCall(path[0].slice(0, 8)) : texts.flow.titleOfCalls;
  const link = find('calls-link');
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

function problem(failure: unknown) {
  const text = failure instanceof Failure ? failure.message : problemText({ code: 'flow_view_unavailable' }).text;
  return el('div', { class: 'problem', role: 'alert', 'data-testid': 'problem' }, el('strong', {}, texts.flow.cannotBeShown), el('p', {}, text));
}

let pending: Change | undefined;
let isNotifying = false;
let isPaused = false;
let feed: 'connecting' | 'live' | 'lost' = 'connecting';

// A change that arrives while the view loads, or is busy with the last change, waits: the answer that the view gets may be older.
async function notify() {
  if (isNotifying || isPaused) return;
  isNotifying = true;
  while (pending && view && !isPaused) {
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

function both(one: Change | undefined, other: Change): Change {
  return one ? { traces: one.traces && other.traces && [...new Set([...one.traces, ...other.traces])] } : other;
}

listen({
  // The first view loads when the feed has begun or cannot begin. So no change is missed, and nothing loads twice.
  state(state) {
    feed = state;
    showState();
    if (visit === 0) void show();
    else if (state === 'live') this.change({ traces: null });
  },
  change(change) {
    pending = both(pending, change);
    showState();
    void notify();
  },
});

function showState() {
  const live = find('live');
  const isHeld = isPaused && feed === 'live';
  live.dataset.state = isHeld ? 'paused' : feed;
  if (isHeld) live.textContent = texts.flow.paused(pending?.traces?.length ?? 0);
  else if (feed !== 'connecting') live.textContent = texts.flow[feed];
}

find('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  find('pause').textContent = isPaused ? texts.flow.resume : texts.flow.pause;
  showState();
  void notify();
});

// Only the gateway has the phone beside FlowView.
void fetch('../', { method: 'HEAD', redirect: 'error' }).then(answer => { find('phone').hidden = !answer.ok; }, () => {});

bindTheme(find('theme'), isDark => { find('theme').textContent = isDark ? texts.flow.light : texts.flow.dark; });
addEventListener('hashchange', () => void show());
