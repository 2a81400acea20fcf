import { drawForPage } from '../../shared/ladder/drawing.ts';
import { type Ladder, ladderOf, type Span } from '../../shared/ladder/ladder.ts';
import { texts } from '../../shared/texts/language.ts';
import { find } from '../../shared/dom.ts';

/** A part that has not reported after this long does not report. */
const reportLimit = 5_000;
const roomForLadder = '(width >= 960px) and (height >= 640px)';

/** Draws the call as all parts reported it, live while it is open. It opens by itself after a call if the window has the room. */
export function offerWhatHappened(): void {
  const details = find<HTMLDetailsElement>('what-happened');
  const place = find('what-happened-ladder');
  const stage = find('stage');
  const traceId = () => find('trace-id').textContent ?? '';
  let feed: EventSource | undefined;
  let ladder: Ladder | undefined;
  let later: ReturnType<typeof setTimeout> | undefined;
  let openedByItself = false;

  const draw = () => place.replaceChildren(...(ladder?.rows.length ? drawForPage(ladder, place.clientWidth) : [texts.labels.noLadderYet]));
  const load = async (firstTry = performance.now()) => {
    clearTimeout(later);
    const id = traceId();
    const spans = id ? await spansOf(id) : [];
    if (id !== traceId()) return;
    const isLate = performance.now() - firstTry > reportLimit;
    if (spans.length > 0 && (isLate || isComplete(spans))) ladder = ladderOf(spans);
    else if (id && !isLate) later = setTimeout(() => void load(firstTry), 500);
    draw();
  };
  details.addEventListener('toggle', () => {
    feed?.close();
    feed = undefined;
    clearTimeout(later);
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
    ladder = undefined;
    if (openedByItself) details.open = openedByItself = false;
    if (details.open) void load();
  }).observe(find('trace-id'), { childList: true, characterData: true, subtree: true });
  new MutationObserver(() => {
    if (['ended', 'failed'].includes(stage.dataset.phase ?? '') && !details.open && traceId() && matchMedia(roomForLadder).matches) details.open = openedByItself = true;
  }).observe(stage, { attributeFilter: ['data-phase'] });
  new ResizeObserver(draw).observe(place);
}

/** Looks for the trace in the list first: to ask for one that is not there yet would be an error. */
async function spansOf(id: string): Promise<Span[]> {
  const list = await read<{ traces: object[] }>(`/flow/api/traces?other=true&text=${id}`);
  return list?.traces.length ? (await read<{ spans: Span[] }>(`/flow/api/traces/${id}`))?.spans ?? [] : [];
}

async function read<T>(path: string): Promise<T | undefined> {
  const answer = await fetch(path, { headers: { Accept: 'application/json' } }).catch(() => undefined);
  return answer?.ok ? await answer.json() as T : undefined;
}

/** Each part sends its spans by itself. Without those of one in the middle, the picture would show the wrong parts. */
function isComplete(spans: Span[]): boolean {
  const ids = new Set(spans.map(span => span.id));
  const parents = new Set(spans.map(span => span.parent));
  return spans.every(span => ids.has(span.parent) || !Number.parseInt(span.parent, 16))
    && spans.every(span => span.service !== 'wic-web' || span.kind !== 'client' || span.error || parents.has(span.id));
}
