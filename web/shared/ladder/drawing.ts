import type { Language } from '../texts/language.ts';
import type { Ladder, Row } from './ladder.ts';

// Draws a ladder as SVG: first a tree of plain objects, then DOM nodes for a page or text for a file. It never parses markup, so a page
// with trusted types can use it, and a span's name cannot become an element.

export interface Shape { tag: string; attributes: Record<string, string | number>; children: (Shape | string)[] }
export type Paint = (colour: keyof typeof palettes.light) => string;

const gutter = 84;
const laneGaps = { least: 78, most: 172 };
const headHeight = 64;
const rowHeight = 42;
const reasonHeight = 22;
const characterWidth = 6.9;
const boldWidth = 7.7;

/** The colours of theme.css, for files outside of a page. */
export const palettes = {
  light: { ground: '#ffffff', sunken: '#f0f2f8', line: '#8b93a9', text: '#171c2b', soft: '#545d75', brand: '#3446c8', badge: '#3b4fd8', good: '#0a6e3f', bad: '#b01e28', tint: '#fdeced' },
  dark: { ground: '#161b26', sunken: '#0f141d', line: '#6a748c', text: '#e9ecf5', soft: '#a3adc4', brand: '#a2b0ff', badge: '#4c5fe6', good: '#5fd69a', bad: '#ff9a9f', tint: '#3a181c' },
};

/** Names of the colours in the pages' style sheets. */
const variables = { ground: '--card', sunken: '--sunken', line: '--line-strong', text: '--text', soft: '--text-soft', brand: '--brand', badge: '--brand-fill', good: '--good', bad: '--bad', tint: '--bad-tint' };

/** Uses the colours of the page around the drawing, light or dark. */
export const fromPage: Paint = colour => `var(${variables[colour]})`;

export const fromPalette = (theme: 'light' | 'dark'): Paint => colour => palettes[theme][colour];

/** Where the lanes are: `gap` from one to the next, `right` at the end of the last. */
interface Grid { gap: number; right: number; x: ReadonlyMap<string, number> }

/** Lanes as wide as fit into `width`, but never so narrow that their names do not fit. Text is never scaled. */
function gridOf(ladder: Ladder, width: number): Grid {
  const gap = Math.min(laneGaps.most, Math.max(laneGaps.least, Math.floor((width - gutter) / Math.max(1, ladder.lanes.length))));
  return { gap, right: gutter + ladder.lanes.length * gap, x: new Map(ladder.lanes.map((lane, index) => [lane.id, gutter + gap / 2 + index * gap])) };
}

/** One picture, for a file. */
export function draw(ladder: Ladder, paint: Paint): Shape {
  const grid = gridOf(ladder, Infinity);
  const rows = drawRows(ladder, grid, headHeight, paint);
  rows.children.unshift(shape('g', { 'aria-hidden': 'true' }, drawHeads(ladder, grid, paint)));
  return rows;
}

/** The heads of the lanes and the rows as pictures of their own, so that a page can keep the heads in view. `width` is that of the place. */
export function drawForPage(ladder: Ladder, width: number): SVGElement[] {
  const grid = gridOf(ladder, width);
  const heads = shape('svg', { ...sizeOf(grid, headHeight), 'aria-hidden': 'true', class: 'ladder-heads' }, drawHeads(ladder, grid, fromPage));
  return [toElement(heads), toElement(drawRows(ladder, grid, 0, fromPage))];
}

function sizeOf({ right }: Grid, height: number) {
  return {
    xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${right} ${height}`, width: right, height,
    'font-family': 'system-ui, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif', 'font-size': 13,
  };
}

function drawHeads(ladder: Ladder, grid: Grid, paint: Paint) {
  return ladder.lanes.flatMap(lane => drawHead(lane, grid.x.get(lane.id)!, grid, paint));
}

function drawRows(ladder: Ladder, grid: Grid, top: number, paint: Paint): Shape {
  let y = top + 14;
  const rows = ladder.rows.map(row => {
    const drawn = drawRow(row, y, grid, paint, ladder);
    y += heightOf(row);
    return drawn;
  });
  const height = y + 16;
  return shape('svg', {
    ...sizeOf(grid, height), role: 'group', class: 'ladder',
    'aria-label': ladder.reader.texts.ladder.diagramOf(ladder.lanes.map(lane => lane.name).join(', ')),
  }, [
    shape('g', { 'aria-hidden': 'true' }, ladder.lanes.map(lane => drawLane(grid.x.get(lane.id)!, Math.max(0, top - 8), height, paint))),
    ...rows,
  ]);
}

/** The text of an SVG file. */
export function toSvg(ladder: Ladder, theme: 'light' | 'dark' = 'light') {
  const picture = draw(ladder, fromPalette(theme));
  picture.children.unshift(shape('rect', { width: '100%', height: '100%', fill: palettes[theme].ground }));
  return toText(picture) + '\n';
}

export function toText(node: Shape | string): string {
  if (typeof node === 'string') return escape(node);
  const attributes = Object.entries(node.attributes).map(([name, value]) => ` ${name}="${escape(String(value))}"`).join('');
  return node.children.length ? `<${node.tag}${attributes}>${node.children.map(toText).join('')}</${node.tag}>` : `<${node.tag}${attributes}/>`;
}

export function toElement(node: Shape): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', node.tag);
  for (const [name, value] of Object.entries(node.attributes)) if (name !== 'xmlns') made.setAttribute(name, String(value));
  made.append(...node.children.map(child => typeof child === 'string' ? child : toElement(child)));
  return made;
}

/** A row in words, for readers who do not see the drawing. */
export function sentence(row: Row, ladder: Ladder) {
  const name = (id: string) => ladder.lanes.find(lane => lane.id === id)?.name ?? id;
  const { texts: { ladder: texts }, formats } = ladder.reader;
  return [
    row.number && texts.stepNumber(row.number),
    row.from === row.to ? name(row.from) : texts.fromTo(name(row.from), name(row.to)),
    row.label + (row.count > 1 ? ` (${texts.times(row.count)})` : ''),
    row.took !== undefined && formats.spanDuration(row.took),
    row.failed && texts.failedBecause(row.reason),
  ].filter(part => part).join(', ');
}

function heightOf(row: Row) {
  return rowHeight + (showsReason(row) ? reasonHeight : 0) - (row.kind === 'response' ? 8 : 0);
}

/** Only the cause shows its reason. The failures that follow from it are only red. */
function showsReason(row: Row) {
  return row.isCause && row.reason !== '';
}

function drawLane(x: number, top: number, bottom: number, paint: Paint) {
  return shape('line', { x1: x, x2: x, y1: top, y2: bottom, stroke: paint('line'), 'stroke-opacity': 0.55, 'stroke-dasharray': '3 5' });
}

function drawHead(lane: { name: string, role: string }, x: number, { gap }: Grid, paint: Paint) {
  const width = Math.min(140, gap - 6);
  return [
    shape('rect', { x: x - width / 2, y: 8, width, height: headHeight - 16, rx: 10, fill: paint('sunken'), stroke: paint('line'), 'stroke-opacity': 0.6 }),
    shape('text', { x, y: 30, 'text-anchor': 'middle', 'font-weight': 650, 'font-size': 14, fill: paint('text') }, [fit(lane.name, width - 8, 8)]),
    shape('text', { x, y: 46, 'text-anchor': 'middle', 'font-size': 12, fill: paint('soft') }, [fit(lane.role, width - 4, 6.15)]),
  ];
}

function drawRow(row: Row, top: number, grid: Grid, paint: Paint, ladder: Ladder) {
  const y = top + 26;
  const [from, to] = [grid.x.get(row.from)!, grid.x.get(row.to)!];
  const colour = row.failed ? paint('bad') : row.kind === 'response' ? paint('soft') : row.number ? paint('brand') : paint('line');
  const { right } = grid;
  const parts = from === to ? mark(row, from, y, colour, paint, grid, ladder.reader) : arrow(row, from, to, y, colour, paint, right, ladder.reader);
  parts.unshift(
    shape('title', {}, [sentence(row, ladder) + (row.detail && row.detail !== row.label ? ` (${row.detail})` : '')]),
    shape('rect', { class: 'hit', x: 0, y: top, width: right, height: heightOf(row), rx: 8, fill: 'transparent' }),
    shape('text', { x: gutter - 14, y: y + 4, 'text-anchor': 'end', 'font-size': 12, fill: paint('soft'), 'font-variant-numeric': 'tabular-nums' }, [row.at ? `+${ladder.reader.formats.spanDuration(row.at)}` : '0']));
  if (showsReason(row)) parts.push(...reason(row, from, to, y, paint, right - 6));
  return shape('g', {
    class: `row ${row.kind}${row.failed ? ' failed' : ''}${row.isCause ? ' cause' : ''}`, 'data-span': row.span, 'data-step': row.number,
    tabindex: 0, role: 'group', 'aria-label': sentence(row, ladder),
    // The sentence has everything that the drawing shows, for screen readers.
  }, [shape('g', { 'aria-hidden': 'true' }, parts)]);
}

function arrow(row: Row, from: number, to: number, y: number, colour: string, paint: Paint, right: number, reader: Language) {
  const direction = Math.sign(to - from);
  const start = from + direction * (row.number ? 11 : 2);
  // A failed arrow ends in a cross before it arrives.
  const end = row.failed && row.isCause ? to - direction * 26 : to - direction * 2;
  const left = Math.min(from, to) + 16;
  const parts = [
    shape('line', { x1: start, x2: end - direction * 4, y1: y, y2: y, stroke: colour, 'stroke-width': row.number ? 2 : 1.5, ...(row.kind === 'response' ? { 'stroke-dasharray': '6 4' } : {}) }),
    row.failed && row.isCause
      ? shape('path', { d: `M${end - 6} ${y - 6} l12 12 m0 -12 l-12 12`, stroke: colour, 'stroke-width': 2.5, 'stroke-linecap': 'round', fill: 'none' })
      : shape('path', { d: `M${end} ${y} l${-direction * 10} -5 v10 z`, fill: colour }),
    // The badge of an arrow to the left is at the end of the label, which stands above it.
    ...label(row, left, y - (row.number && direction < 0 ? 13 : 9), right - left, colour, paint, reader),
  ];
  if (row.number) parts.push(...badge(row.number, from, y, row.failed ? paint('bad') : paint('badge'), paint));
  return parts;
}

function mark(row: Row, x: number, y: number, colour: string, paint: Paint, { gap, right }: Grid, reader: Language) {
  // In the last lane there is no room to the right.
  const parts = x + gap > right
    ? label(row, x - 18, y + 4, x - 18 - gutter, colour, paint, reader, 'end')
    : label(row, x + 18, y + 4, right - x - 18, colour, paint, reader);
  return [...parts, ...(row.number ? badge(row.number, x, y, row.failed ? paint('bad') : paint('badge'), paint) : [shape('circle', { cx: x, cy: y, r: 5, fill: colour })])];
}

function label(row: Row, x: number, y: number, space: number, colour: string, paint: Paint, reader: Language, anchor = 'start') {
  const took = row.took === undefined ? '' : reader.formats.spanDuration(row.took);
  const times = row.count > 1 ? ` ×${row.count}` : '';
  const transport = /^(UDP|TCP|TLS)$/.test(row.detail) ? ` · ${row.detail}` : '';
  // Bold characters are wider.
  const room = space - (took.length + 2) * 6.2 - (times.length + transport.length) * (row.number ? boldWidth : characterWidth);
  return [shape('text', { x, y, 'text-anchor': anchor, fill: row.failed ? colour : paint('text'), stroke: paint('ground'), 'stroke-width': 4, 'stroke-linejoin': 'round', 'paint-order': 'stroke', ...(row.number ? { 'font-weight': 600 } : {}) }, [
    fit(row.label, room, row.number ? boldWidth : characterWidth) + transport + times,
    ...(took ? [shape('tspan', { dx: 7, 'font-size': 12, 'font-weight': 400, fill: paint('soft') }, [took])] : []),
  ])];
}

function badge(number: string, x: number, y: number, fill: string, paint: Paint) {
  return [
    shape('circle', { cx: x, cy: y, r: 11, fill, stroke: paint('ground'), 'stroke-width': 2 }),
    shape('text', { x, y: y + 4.5, 'text-anchor': 'middle', 'font-size': 12.5, 'font-weight': 700, fill: fill === palettes.dark.bad || fill === 'var(--bad)' ? paint('ground') : '#ffffff' }, [number]),
  ];
}

function reason(row: Row, from: number, to: number, y: number, paint: Paint, right: number) {
  const words = fit(`✗ ${row.reason}`, right - gutter - 20, 7.5);
  const width = words.length * 7.5 + 20;
  const x = Math.max(gutter, Math.min(Math.min(from, to) + 14, right - width));
  return [
    shape('rect', { x, y: y + 10, width, height: 24, rx: 7, fill: paint('tint'), stroke: paint('bad'), 'stroke-opacity': 0.5 }),
    shape('text', { x: x + 10, y: y + 26.5, fill: paint('bad'), 'font-weight': 600, 'font-size': 12.5 }, [words]),
  ];
}

/** of a character */
function fit(words: string, space: number, width: number = characterWidth) {
  const room = Math.max(4, Math.floor(space / width));
  return words.length <= room ? words : words.slice(0, room - 1).trimEnd() + '…';
}

export function shape(tag: string, attributes: Record<string, string | number>, children: (Shape | string)[] = []): Shape {
  return { tag, attributes, children };
}

function escape(words: string) {
  // Characters that XML 1.0 cannot contain would make the file unreadable.
  return words.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
