import { el } from '../../shared/dom.ts';
import { texts } from '../../shared/texts/language.ts';
import { type Place, places, placeWords } from './words.ts';

/** What the map shows: a moment of the story. */
export interface Scene {
  /** The step, or the number after the last one. 0 before the call. */
  number: number;
  /** How much of the step has passed, 0 to 1. */
  part: number;
  failed: boolean;
  /** The call is connected and the story is at its end. */
  isLive: boolean;
  /** The path of a running call is broken at the moment. */
  isInterrupted: boolean;
}
export type Health = 'up' | 'down' | 'starting';

type Edge = readonly [from: Place, to: Place, kind: 'story' | 'side' | 'cheat'];
const edges: readonly Edge[] = [
  ['user', 'wic', 'story'], ['wic', 'wwsf', 'story'], ['wwsf', 'waf', 'story'], ['wic', 'turn', 'story'], ['turn', 'peer', 'story'],
  ['wic', 'ep-cscf', 'side'], ['ep-cscf', 'peer', 'side'], ['waf', 'redis', 'side'], ['redis', 'turn', 'side'], ['wwsf', 'turn', 'cheat'],
];
/** The ways that something goes in each step, one after the other. */
const ways: Readonly<Record<number, readonly (readonly [Place, Place])[]>> = {
  1: [['user', 'wic']], 2: [['wic', 'wwsf']], 4: [['wwsf', 'waf']], 6: [['waf', 'wwsf'], ['wwsf', 'wic']], 8: [['wic', 'turn']], 9: [['turn', 'peer']],
};
const busyPlace: Readonly<Record<number, Place>> = { 1: 'user', 3: 'wwsf', 5: 'waf', 7: 'wic', 8: 'turn' };

type Points = Readonly<Record<Place, readonly [x: number, y: number]>>;
const wide: Points = {
  user: [0.06, 0.4], wic: [0.22, 0.4], wwsf: [0.4, 0.4], waf: [0.58, 0.4], turn: [0.77, 0.4], peer: [0.94, 0.4], 'ep-cscf': [0.36, 0.89], redis: [0.68, 0.89],
};
const narrow: Points = {
  user: [0.15, 0.17], wic: [0.5, 0.17], wwsf: [0.85, 0.17], peer: [0.15, 0.59], turn: [0.5, 0.59], waf: [0.85, 0.59], 'ep-cscf': [0.27, 0.93], redis: [0.75, 0.93],
};

const icons: Readonly<Record<Place, string>> = {
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-8 8c0-4 4-6 8-6s8 2 8 6v1H4v-1Z',
  wic: 'M3 5h18v14H3V5Zm2 5v7h14v-7H5Zm1-3.200v1.400h2V6.800H6Zm3.500 0v1.400h2V6.800h-2Z',
  wwsf: 'M4 18h16v2H4v-2Zm1-1a7 7 0 0 1 6-6.900V8.500H9.500v-2h5v2H13v1.600A7 7 0 0 1 19 17H5Z',
  waf: 'M12 2 4 5v6c0 5 3.400 9.300 8 11 4.600-1.700 8-6 8-11V5l-8-3Zm0 6a2.500 2.500 0 0 1 1 4.800V17h-2v-4.200A2.500 2.500 0 0 1 12 8Z',
  turn: 'M7 7h9.200l-2.600-2.600L15 3l5 5-5 5-1.400-1.400L16.200 9H7V7Zm10 10H7.800l2.600 2.600L9 21l-5-5 5-5 1.400 1.400L7.800 15H17v2Z',
  peer: 'M6.600 10.800a15 15 0 0 0 6.600 6.600l2.200-2.200c.3-.3.7-.4 1-.2 1.200.4 2.400.6 3.600.6.6 0 1 .4 1 1V20c0 .6-.4 1-1 1A17 17 0 0 1 3 4c0-.6.4-1 1-1h3.500c.6 0 1 .4 1 1 0 1.300.2 2.500.6 3.600.1.4 0 .8-.2 1l-2.300 2.200Z',
  'ep-cscf': 'M5 3h4v4H8v3h8V7h-1V3h4v4h-1v5h-5v3h1v4h-4v-4h1v-3H6V7H5V3Z',
  redis: 'M12 3c4.400 0 8 1.300 8 3s-3.600 3-8 3-8-1.300-8-3 3.600-3 8-3Zm-8 6c1.500 1.300 4.500 2 8 2s6.500-.7 8-2v3c0 1.700-3.600 3-8 3s-8-1.300-8-3V9Zm0 6c1.500 1.300 4.500 2 8 2s6.500-.7 8-2v3c0 1.700-3.600 3-8 3s-8-1.300-8-3v-3Z',
};

const svgNamespace = 'http://www.w3.org/2000/svg';
function svg<T extends keyof SVGElementTagNameMap>(tag: T, attributes: Record<string, string>, ...children: SVGElement[]): SVGElementTagNameMap[T] {
  const made = document.createElementNS(svgNamespace, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const name = (from: Place, to: Place) => `${from}-${to}`;
// Above the middle of a place while it rests there.
const rise = 30;

/** The parts of a call and the ways between them, with the token that travels on them as a sealed envelope. */
export class StageMap {
  readonly element: HTMLElement;
  readonly #drawing = svg('svg', { class: 'map-lines', 'aria-hidden': 'true' });
  readonly #nodes = new Map<Place, HTMLButtonElement>();
  readonly #lines = new Map<string, SVGPathElement>();
  readonly #spark = svg('circle', { class: 'spark', r: '7' });
  readonly #envelope = envelope('envelope');
  readonly #forged = envelope('envelope forged');
  readonly #key = svg('g', { class: 'pass-key' }, svg('path', { 'fill-rule': 'evenodd', d: 'M-14 0a7 7 0 0 1 13.600-2.300H15V7h-4V2.300H8V5.500H4.500V2.300H-.4A7 7 0 0 1-14 0Zm4 0a3 3 0 1 0 6 0 3 3 0 0 0-6 0Z' }));
  readonly #code = el('output', { class: 'refusal', 'data-testid': 'refusal' });
  #scene: Scene = { number: 0, part: 0, failed: false, isLive: false, isInterrupted: false };
  #points: Record<Place, { x: number; y: number }> | undefined;
  #attempt = 0;

  constructor(onplace: (place: Place) => void) {
    for (const [from, to, kind] of edges) {
      const line = svg('path', { class: `line ${kind}` });
      this.#lines.set(name(from, to), line);
      this.#drawing.append(line);
    }
    const moving = svg('svg', { class: 'map-moving', 'aria-hidden': 'true' });
    moving.append(this.#spark, this.#key, this.#envelope, this.#forged);
    const nodes = places.map(place => {
      const icon = svg('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, svg('path', { d: icons[place], fill: 'currentColor' }));
      const node = el('button', { type: 'button', class: `place ${place === 'ep-cscf' || place === 'redis' ? 'side' : ''}`, 'data-place': place, 'data-testid': `place-${place}`, onclick: () => onplace(place) },
        el('span', { class: 'disc' }), el('span', { class: 'label' }, el('strong', {}), el('small', {})));
      node.querySelector('.disc')!.append(icon);
      this.#nodes.set(place, node);
      return node;
    });
    this.element = el('div', { class: 'map', 'data-testid': 'stage-map', role: 'group', 'aria-label': texts.stage.map }, ...nodes, this.#code);
    this.element.prepend(this.#drawing);
    this.element.append(moving);
    this.applyWords();
    new ResizeObserver(() => this.#layOut()).observe(this.element);
  }

  applyWords(farEnd = ''): void {
    for (const [place, node] of this.#nodes) {
      const words = placeWords(place);
      node.querySelector('strong')!.textContent = place === 'peer' && farEnd !== '' ? farEnd : words.name;
      node.querySelector('small')!.textContent = words.role;
    }
  }

  show(scene: Scene): void {
    this.#scene = scene;
    const { number, part, failed, isLive, isInterrupted } = scene;
    const isBroken = isInterrupted || this.#nodes.get('turn')!.dataset.health === 'down';
    for (const [from, to, kind] of edges) {
      if (kind !== 'story') continue;
      const steps = Object.entries(ways).filter(([, legs]) => legs.some(leg => leg.includes(from) && leg.includes(to))).map(([step]) => Number(step));
      const isMedia = isLive && (to === 'turn' || to === 'peer');
      const state = isMedia ? isBroken ? 'failed' : 'media' : steps.includes(number) ? failed ? 'failed' : 'now' : steps.some(step => step < number) ? 'passed' : 'off';
      this.#lines.get(name(from, to))!.dataset.state = state;
    }
    for (const [place, node] of this.#nodes) {
      const isBusy = busyPlace[number] === place && !isLive || (ways[number]?.some(([, to], leg, legs) => to === place && part * legs.length > leg + 0.85) ?? false);
      node.dataset.state = failed && (busyPlace[number] === place || ways[number]?.at(-1)?.[1] === place) ? 'failed' : isBusy && !isLive ? 'now' : '';
    }
    this.#move();
  }

  setHealth(health: ReadonlyMap<Place, Health>): void {
    for (const [place, node] of this.#nodes) {
      const state = health.get(place) ?? 'up';
      if (node.dataset.health !== state) node.dataset.health = state;
    }
    this.show(this.#scene);
  }

  select(place: Place | undefined): void {
    for (const [each, node] of this.#nodes) node.ariaPressed = String(each === place);
  }

  /** A forged or stolen token goes to the TURN server, which answers. 0: it is on its way. */
  showAttempt(progress: number, code?: string): void {
    const line = this.#lines.get(name('wwsf', 'turn'))!;
    line.dataset.state = 'now';
    this.#forged.dataset.visible = 'true';
    this.#code.textContent = code ?? '';
    this.#nodes.get('turn')!.dataset.refused = String(code !== undefined && code !== '' && !code.startsWith('2'));
    this.#attempt = progress;
    this.#move();
  }

  clearAttempt(): void {
    this.#lines.get(name('wwsf', 'turn'))!.dataset.state = 'off';
    this.#forged.dataset.visible = 'false';
    this.#code.textContent = '';
    this.#nodes.get('turn')!.dataset.refused = 'false';
  }

  #layOut(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width === 0 || height === 0) return;
    const isNarrow = width < 640;
    this.element.dataset.shape = isNarrow ? 'narrow' : 'wide';
    const points = Object.fromEntries(places.map(place => {
      const [x, y] = (isNarrow ? narrow : wide)[place];
      return [place, { x: x * width, y: y * height }];
    })) as Record<Place, { x: number; y: number }>;
    this.#points = points;
    for (const drawing of this.element.querySelectorAll(':scope > svg')) drawing.setAttribute('viewBox', `0 0 ${width} ${height}`);
    for (const [place, node] of this.#nodes) {
      node.style.left = `${points[place].x}px`;
      node.style.top = `${points[place].y}px`;
    }
    this.#code.style.left = `${points.turn.x}px`;
    this.#code.style.top = `${points.turn.y}px`;
    for (const [from, to, kind] of edges) {
      const [a, b] = [points[from], points[to]];
      let path = `M${a.x} ${a.y}L${b.x} ${b.y}`;
      if (!isNarrow) {
        // Over the parts between them, or under.
        if (from === 'wic' && to === 'turn') path = `M${a.x} ${a.y}C${a.x + width * 0.1} ${-height * 0.09} ${b.x - width * 0.1} ${-height * 0.09} ${b.x} ${b.y}`;
        if (kind === 'cheat') path = `M${a.x} ${a.y}C${a.x + width * 0.08} ${height * 0.08} ${b.x - width * 0.08} ${height * 0.08} ${b.x} ${b.y}`;
        if (kind === 'side') path = `M${a.x} ${a.y}C${a.x + (b.x - a.x) * (a.y < b.y ? 0.2 : 0.5)} ${b.y > a.y ? b.y : a.y} ${a.x + (b.x - a.x) * (a.y < b.y ? 0.5 : 0.85)} ${Math.max(a.y, b.y)} ${b.x} ${b.y}`;
      }
      this.#lines.get(name(from, to))!.setAttribute('d', path);
    }
    this.#move();
  }

  /** Where something is on the way between two places. */
  #on(from: Place, to: Place, part: number): { x: number; y: number } {
    const forward = this.#lines.get(name(from, to));
    const line = forward ?? this.#lines.get(name(to, from))!;
    return line.getPointAtLength(line.getTotalLength() * (forward ? part : 1 - part));
  }

  #move(): void {
    const points = this.#points;
    if (!points) return;
    const { number, part, failed, isLive } = this.#scene;
    const legs = ways[number] ?? [];
    const leg = Math.min(Math.floor(part * legs.length), Math.max(legs.length - 1, 0));
    const along = legs.length > 0 ? part * legs.length - leg : 0;
    const way = legs[leg];
    const spot = way ? this.#on(...way, along) : undefined;

    place(this.#spark, spot ?? points.user, spot !== undefined && !isLive && [1, 2, 4, 9].includes(number));
    const lift = -rise * (1 - Math.sin(Math.PI * along));
    const isFailed = failed && number < 8;
    const rests: Readonly<Record<number, Place>> = { 5: 'waf', 7: 'wic', 9: 'turn' };
    const resting = rests[number];
    const envelopeAt = number === 6 || number === 8 ? { x: spot!.x, y: spot!.y + lift } : resting ? { x: points[resting].x, y: points[resting].y - rise } : points.waf;
    place(this.#envelope, envelopeAt, number >= 5 && !isFailed, number === 5 ? Math.min(1, part * 1.6) : 1);
    this.#envelope.dataset.open = String(!failed && (number > 8 || (number === 8 && part > 0.93)));
    // The key comes with the envelope, and stays in the browser.
    const keyAt = number === 6 ? { x: spot!.x + 26, y: spot!.y + lift + 12 } : number === 5 ? { x: points.waf.x + 26, y: points.waf.y - rise + 12 } : { x: points.wic.x + 26, y: points.wic.y - rise + 12 };
    place(this.#key, keyAt, number >= 5 && !isFailed, number === 5 ? Math.max(0, part * 2 - 1) : 1);

    if (this.#forged.dataset.visible === 'true') {
      const at = this.#on('wwsf', 'turn', this.#attempt);
      place(this.#forged, { x: at.x, y: at.y - (this.#attempt < 1 ? 0 : rise + 12) }, this.#attempt < 1);
    } else {
      place(this.#forged, points.wwsf, false);
    }
  }
}

function place(item: SVGElement, { x, y }: { x: number; y: number }, isVisible: boolean, scale = 1): void {
  item.setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${scale.toFixed(3)})`);
  item.dataset.shown = String(isVisible && scale > 0);
}

function envelope(kind: string): SVGGElement {
  return svg('g', { class: kind },
    svg('path', { class: 'flap-up', d: 'M-19-12 0-25 19-12Z' }),
    svg('path', { class: 'letter', d: 'M-14-20h28v18h-28z' }),
    svg('rect', { class: 'paper', x: '-19', y: '-13', width: '38', height: '26', rx: '3' }),
    svg('path', { class: 'fold', d: 'M-19-11 0 3 19-11' }),
    svg('circle', { class: 'seal', cx: '0', cy: '2', r: '6' }),
    svg('path', { class: 'seal-mark', d: 'M-2.600 2 -.6 4 3 0' }));
}
