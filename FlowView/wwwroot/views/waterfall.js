// @ts-check
// The spans of a trace over time, each below its parent.
import { el, serviceColour, serviceTag } from '../dom.js';
import { duration } from '../ladder/drawing.js';
import { nameOf } from '../ladder/ladder.js';

/** @param {any[]} spans @param {(span: string) => void} select */
export function waterfall(spans, select) {
  const start = Math.min(...spans.map(span => span.start));
  const total = Math.max(...spans.map(span => span.start + span.duration)) - start || 1;
  const ticks = el('span', { class: 'ticks' }, ...[0, 0.25, 0.5, 0.75, 1].map(part => el('span', {}, part === 0 ? '0' : duration(total * part))));
  return el('div', { class: 'card flush' },
    el('div', { class: 'waterfall', 'data-testid': 'waterfall' },
      el('div', { class: 'scale' }, el('span', {}, 'Span'), ticks, el('span', { class: 'number' }, 'Duration')),
      ...inTreeOrder(spans).map(({ span, depth }) => row(span, depth, start, total, select))));
}

/** @param {any} span @param {number} depth @param {number} start @param {number} total @param {(span: string) => void} select */
function row(span, depth, start, total, select) {
  const bar = el('span', { class: serviceColour(span.service) });
  bar.style.setProperty('--from', String((span.start - start) / total));
  bar.style.setProperty('--part', String(span.duration / total));
  const step = span.attributes['ims.step'];
  const what = el('span', { class: 'what' }, serviceTag(span.service), step !== undefined && el('span', { class: 'step', title: `step ${step} of the figure` }, String(step)), el('span', { title: span.name }, nameOf(span)));
  what.style.setProperty('--depth', String(Math.min(depth, 12)));
  return el('button', { type: 'button', class: `span${span.error ? ' failed' : ''}`, 'data-span': span.id, 'aria-pressed': 'false', onclick: () => select(span.id) },
    what, el('span', { class: 'track', 'aria-hidden': 'true' }, bar), el('span', { class: 'number' }, duration(span.duration)));
}

/** Parents before children; a span whose parent nobody sent stands at the top. @param {any[]} spans @returns {{ span: any, depth: number }[]} */
function inTreeOrder(spans) {
  const ids = new Set(spans.map(span => span.id));
  /** @type {Map<string, any[]>} */
  const children = new Map();
  for (const span of spans) {
    const parent = ids.has(span.parent) && span.parent !== span.id ? span.parent : '';
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  /** @type {{ span: any, depth: number }[]} */
  const ordered = [];
  const shown = new Set();
  const visit = (/** @type {string} */ parent, /** @type {number} */ depth) => {
    for (const span of children.get(parent) ?? []) {
      if (shown.has(span.id)) continue;
      shown.add(span.id);
      ordered.push({ span, depth });
      visit(span.id, depth + 1);
    }
  };
  visit('', 0);
  // Spans that are each other's parents are no tree, but are shown.
  for (const span of spans) if (!shown.has(span.id)) ordered.push({ span, depth: 0 });
  return ordered;
}
