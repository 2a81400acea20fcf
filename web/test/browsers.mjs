// Fails for a call in the pages of an API that one of the named browsers does not have, by MDN's data. Names are compared, not types: a
// method counts only if all methods with its name are too young. An optional call (x.y?.()) may be of any age.
import data from '@mdn/browser-compat-data' with { type: 'json' };
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { browsers } from '../browsers.mjs';

// Methods of our own and of libraries that have the name of a young one.
const others = ['badge', 'changed', 'device', 'fetch', 'records', 'session', 'setStatus'];
// The page looks whether these exist.
const detected = ['parseCreationOptionsFromJSON', 'parseRequestOptionsFromJSON'];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const places = [data.api, data.javascript.builtins, data.javascript.builtins.Intl];
const [comments, uses] = [/\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/.*/g, /(?<object>\b[A-Z]\w*)?\.(?<member>[a-z]\w*)(?=[(<])|\bnew (?<type>[A-Z]\w*)/g];

const has = (browser, support) => [support ?? []].flat().some(({ version_added: added, version_removed: removed, flags, prefix }) =>
  typeof added === 'string' && !removed && !flags && !prefix && parseFloat(added.replace('≤', '')) <= browsers[browser]);
const lacking = entry => Object.keys(browsers).filter(browser => entry.__compat && !has(browser, entry.__compat.support[browser]));

const members = new Map();
for (const [name, entry] of places.flatMap(Object.values).flatMap(Object.entries)) {
  if (entry.__compat) members.set(name.replace('_static', ''), [...(members.get(name.replace('_static', '')) ?? []), entry]);
}

function entriesOf({ object, member, type }) {
  const owner = places.map(place => place[type ?? object]).find(Boolean);
  if (type) return owner ? [owner] : [];
  const own = owner?.[`${member}_static`] ?? owner?.[member];
  if (detected.includes(member) || (!own && others.includes(member))) return [];
  return own ? [own] : members.get(member) ?? [];
}

const problems = [];
for (const folder of ['page', 'shared', 'flow-view']) {
  for (const file of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts') && name !== 'vite.config.ts')) {
    for (const use of readFileSync(join(root, folder, file), 'utf8').replaceAll(comments, '').matchAll(uses)) {
      const ages = entriesOf(use.groups).map(lacking);
      if (ages.length > 0 && ages.every(names => names.length > 0)) problems.push(`${folder}/${file}: ${use[0]} is not in ${ages[0].map(name => `${name} ${browsers[name]}`).join(', ')}`);
    }
  }
}

// Texts that tell a user which browser to take.
const advice = `Chrome ${browsers.chrome}, Firefox ${browsers.firefox}, Safari ${browsers.safari}`;
for (const file of ['page/public/browser.js', 'shared/texts/en.ts', 'shared/texts/de.ts']) {
  if (!readFileSync(join(root, file), 'utf8').includes(advice)) problems.push(`${file}: does not name ${advice}`);
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
}
