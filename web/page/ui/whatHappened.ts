import { draw, fromPage, toElement } from '../../shared/ladder/drawing.ts';
import { ladderOf, type Span } from '../../shared/ladder/ladder.ts';
import { texts } from '../../shared/texts/language.ts';
import { find } from '../../shared/dom.ts';

/** Draws the call as all parts reported it, live while it is open. */
export function offerWhatHappened(): void {
  const details = find<HTMLDetailsElement>('what-happened');
  const place = find('what-happened-ladder');
  const traceId = () => find('trace-id').textContent ?? '';
  let feed: EventSource | undefined;

  const load = async () => {
    const answer = traceId() ? await fetch(`/flow/api/traces/${traceId()}`, { headers: { Accept: 'application/json' } }).catch(() => undefined) : undefined;
    const ladder = answer?.ok ? ladderOf(((await answer.json()) as { spans: Span[] }).spans) : undefined;
    if (ladder?.rows.length) place.replaceChildren(toElement(draw(ladder, fromPage)));
    else place.textContent = texts.labels.noLadderYet;
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
  // The next call has another trace.
  new MutationObserver(() => {
    if (details.open) void load();
  }).observe(find('trace-id'), { childList: true, characterData: true, subtree: true });
}
