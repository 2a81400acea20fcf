// @ts-check
// Search fields, kept in the address so that a search can be sent to somebody.
import { get } from '../api.js';
import { el } from '../dom.js';

/** @param {string} label @param {HTMLInputElement | HTMLSelectElement} input @param {string} [size] */
export function field(label, input, size = '') {
  return el('label', { class: `field ${size}` }, label, input);
}

/** @param {string | null} chosen */
export async function serviceChoice(chosen) {
  const services = new Set(await get('services'));
  if (chosen) services.add(chosen);
  const select = el('select', { name: 'service' }, el('option', { value: '' }, 'any'), ...[...services].map(service => el('option', { value: service }, service)));
  select.value = chosen ?? '';
  return select;
}

/** What the form holds, put into the address as well. @param {HTMLFormElement} form */
export function followForm(form) {
  const query = new URLSearchParams();
  for (const [key, value] of new FormData(form)) if (typeof value === 'string' && value.trim()) query.set(key, value.trim());
  const [path = ''] = location.hash.split('?', 1);
  history.replaceState(null, '', query.size ? `${path}?${query}` : path || '#/traces');
  return query;
}
