import { draw, fromPage, toElement } from '../../../FlowView/wwwroot/ladder/drawing.js';
import { ladderOf } from '../../../FlowView/wwwroot/ladder/ladder.js';
import { find } from './dom.ts';

const notYet = 'The parts have not told anything about this call yet.';

/** "What just happened": the call as all parts saw it, drawn by FlowView's own component, live for as long as it is open. */
export function offerWhatHappened(): void {
  const details = find<HTMLDetailsElement>('what-happened');
  const place = find('what-happened-ladder');
  const traceId = () => find('trace-id').textContent ?? '';
  let feed: EventSource | undefined;

  const load = async () => {
    const answer = traceId() ? await fetch(`/flow/api/traces/${traceId()}`, { headers: { Accept: 'application/json' } }).catch(() => undefined) : undefined;
    const ladder = answer?.ok ? ladderOf((await answer.json()).spans) : undefined;
    if (ladder?.rows.length) place.replaceChildren(toElement(draw(ladder, fromPage)));
    else place.textContent = notYet;
  };
  details.addEventListener('toggle', () => {
    feed?.close();
    feed = undefined;
    if (!details.open) return;
    void load();
    feed = new EventSource('/flow/api/events');
    feed.addEventListener('change', event => {
      const { traces } = JSON.parse(event.data) as { traces: string[] | null };
      if (traces === null || traces.includes(traceId())) void load();
    });
  });
  // Another call: another trace.
  new MutationObserver(() => {
    if (details.open) void load();
  }).observe(find('trace-id'), { childList: true, characterData: true, subtree: true });
}
