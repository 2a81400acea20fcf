// @ts-check
// What the AppHost runs: state, health, addresses and output of each resource. Only the embedded engine offers it.
import { get, post } from '../api.js';
import { el } from '../dom.js';

/** @type {import('../app.js').Show} */
export async function resourcesView(main, path) {
  const [chosen = ''] = path;
  const list = el('div', { class: 'card flush' });
  const output = el('pre', { class: 'console', 'data-testid': 'console', tabIndex: 0 });
  main.replaceChildren(el('div', { class: 'head' }, el('h1', {}, 'Resources')), list, ...(chosen ? [el('h2', {}, `Output of ${chosen}`), output] : []));

  // At FlowView's own address on this machine; through the gateway nobody may stop anything.
  const { offered } = await get('resources/commands');
  let shown = '';
  const load = async () => {
    const resources = await get('resources');
    // A button that is being clicked stays where it is.
    if (shown !== JSON.stringify(resources)) list.replaceChildren(table(resources, chosen, offered));
    shown = JSON.stringify(resources);
    if (!chosen) return;
    const isAtEnd = output.scrollTop + output.clientHeight >= output.scrollHeight - 20;
    const lines = await get(`resources/${encodeURIComponent(chosen)}/console`);
    output.replaceChildren(...lines.map((/** @type {{ text: string, error: boolean }} */ line) => el('span', { class: line.error ? 'error' : '' }, line.text + '\n')));
    if (isAtEnd) output.scrollTop = output.scrollHeight;
  };
  await load();
  const timer = setInterval(() => void load().catch(() => {}), 1000);
  return { end: () => clearInterval(timer) };
}

/** @param {any[]} resources @param {string} chosen @param {boolean} mayCommand */
function table(resources, chosen, mayCommand) {
  return el('table', { 'data-testid': 'resources' },
    el('thead', {}, el('tr', {}, ...['Resource', 'State', 'Health', 'Addresses', 'Output', ...(mayCommand ? ['Command'] : [])].map(name => el('th', {}, name)))),
    el('tbody', {}, ...resources.map(resource => el('tr', { 'data-resource': resource.name },
      el('td', {}, el('strong', {}, resource.name)),
      el('td', { class: resource.state === 'Running' ? 'state-up' : /Exited|FailedToStart/.test(resource.state) ? 'state-down' : '' }, resource.state, resource.reason ? el('div', { class: 'soft' }, resource.reason) : ''),
      el('td', {}, resource.health ?? ''),
      el('td', {}, ...resource.urls.flatMap((/** @type {string} */ url) => [url.startsWith('http') ? el('a', { href: url, target: '_blank', rel: 'noreferrer' }, url) : el('span', {}, url), ' '])),
      el('td', {}, resource.name === chosen ? 'shown below' : el('a', { href: `#/resources/${encodeURIComponent(resource.name)}` }, 'show')),
      mayCommand && el('td', {}, commands(resource))))));
}

/** @param {any} resource */
function commands(resource) {
  const offered = resource.name === 'flow-view' ? [] : /Exited|FailedToStart/.test(resource.state) ? ['start'] : ['restart', 'stop'];
  return el('div', { class: 'chips' }, ...offered.map(command => el('button', {
    type: 'button', class: 'small', onclick: () => void post(`resources/${encodeURIComponent(resource.name)}/${command}`),
  }, command[0]?.toUpperCase() + command.slice(1))));
}
