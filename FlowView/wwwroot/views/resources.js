// @ts-check
// What the AppHost runs: state, health, addresses and output of each resource. Only the embedded engine offers it.
import { get } from '../api.js';
import { el } from '../dom.js';

/** @type {import('../app.js').Show} */
export async function resourcesView(main, path) {
  const [chosen = ''] = path;
  const list = el('div', { class: 'card flush' });
  const output = el('pre', { class: 'console', 'data-testid': 'console', tabIndex: 0 });
  main.replaceChildren(el('div', { class: 'head' }, el('h1', {}, 'Resources')), list, ...(chosen ? [el('h2', {}, `Output of ${chosen}`), output] : []));

  const load = async () => {
    list.replaceChildren(table(await get('resources'), chosen));
    if (!chosen) return;
    const isAtEnd = output.scrollTop + output.clientHeight >= output.scrollHeight - 20;
    const { lines } = await get(`resources/${encodeURIComponent(chosen)}/console`);
    output.replaceChildren(...lines.map((/** @type {{ text: string, error: boolean }} */ line) => el('span', { class: line.error ? 'error' : '' }, line.text + '\n')));
    if (isAtEnd) output.scrollTop = output.scrollHeight;
  };
  await load();
  const timer = setInterval(() => void load().catch(() => {}), 1000);
  return { end: () => clearInterval(timer) };
}

/** @param {any[]} resources @param {string} chosen */
function table(resources, chosen) {
  return el('table', { 'data-testid': 'resources' },
    el('thead', {}, el('tr', {}, ...['Resource', 'State', 'Health', 'Addresses', 'Output'].map(name => el('th', {}, name)))),
    el('tbody', {}, ...resources.map(resource => el('tr', { 'data-resource': resource.name },
      el('td', {}, el('strong', {}, resource.name)),
      el('td', { class: resource.state === 'Running' ? 'state-up' : /Exited|FailedToStart/.test(resource.state) ? 'state-down' : '' }, resource.state, resource.reason ? el('div', { class: 'soft' }, resource.reason) : ''),
      el('td', {}, resource.health ?? ''),
      el('td', {}, ...resource.urls.flatMap((/** @type {string} */ url) => [url.startsWith('http') ? el('a', { href: url, target: '_blank', rel: 'noreferrer' }, url) : el('span', {}, url), ' '])),
      el('td', {}, resource.name === chosen ? 'shown below' : el('a', { href: `#/resources/${encodeURIComponent(resource.name)}` }, 'show'))))));
}
