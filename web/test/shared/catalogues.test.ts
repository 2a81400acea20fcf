import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { problemOfAnswer, registrationProblem } from '../../page/ims/sipProblems.ts';
import { palettes } from '../../shared/ladder/drawing.ts';
import { catalogues, languageFor } from '../../shared/texts/language.ts';
import { problemText } from '../../shared/texts/problemText.ts';

type Catalogue = { readonly [key: string]: unknown };

const repository = '..';
const read = (path: string) => readFileSync(path, 'utf8');
const filesOf = (folder: string, extension: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith(extension) && !/\b(obj|bin)\b/.test(name)).map(name => `${folder}/${name}`);
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(match => match[1]!);

/** Every text by its path. A function is called with marks, which must turn up in its result. */
function textsOf(value: unknown, path = ''): [path: string, text: string][] {
  if (typeof value === 'string') return [[path, value]];
  if (typeof value === 'function') {
    // Numbers that no text has by itself; strings with a mark.
    const text = (value as (...marks: unknown[]) => string)(...Array.from({ length: value.length }, (_, index) => `${index + 71}`));
    return [[`${path}()`, text]];
  }
  return Object.entries(value as Catalogue).flatMap(([key, inner]) => textsOf(inner, `${path}.${key}`));
}

for (const [tag, catalogue] of Object.entries(catalogues)) {
  const english = textsOf(catalogues.en);
  const own = new Map(textsOf(catalogue));

  test(`${tag}: has the texts of the English catalogue, none of them empty`, () => {
    assert.deepEqual([...own.keys()].sort(), english.map(([path]) => path).sort());
    for (const [path, text] of own) assert.ok(text.trim() !== '', path);
  });

  test(`${tag}: has the placeholders of the English texts`, () => {
    const marks = (text: string) => [...new Set(text.match(/\b7\d\b/g))].sort();
    let placeholders = 0;
    for (const [path, text] of english.filter(([name]) => name.endsWith('()'))) {
      assert.deepEqual(marks(own.get(path)!), marks(text), path);
      placeholders += marks(text).length;
    }
    assert.ok(placeholders > 25, String(placeholders));
  });
}

test('German is not a copy of the English texts', () => {
  const german = new Map(textsOf(catalogues.de.problems));
  for (const [path, text] of textsOf(catalogues.en.problems)) assert.notEqual(german.get(path), text, path);
});

test('every problem of a server or of the page has a text in every language', () => {
  const contracts = matches(read(`${repository}/Contracts/ProblemCodes.cs`), /"([a-z_]+)"/g);
  const flowView = matches(read(`${repository}/FlowView/Query/QueryApi.cs`), /Problem\(\s*"([a-z]+_[a-z_]+)"/g);
  const page = filesOf('page', '.ts').flatMap(file => matches(read(file), /new Problem\('(\w+)'/g));
  const turn = ['turn_401', 'turn_403', 'turn_486', 'turn_508', 'turn_refused', 'turn_unreachable'];
  const sip = [401, 403, 404, 408, 480, 486, 487, 488, 500, 503, 600, 603, 604, 606].map(status => problemOfAnswer(status).code);
  const registration = [undefined, 403, 500, 503].map(status => registrationProblem(status).code);
  const media = ['microphone', 'camera'].flatMap(device => ['blocked', 'missing', 'busy'].map(what => `${device}_${what}`));
  const own = ['gateway_unavailable', 'passkey_known', 'passkey_cancelled'];

  for (const [source, count] of [[contracts, 32], [flowView, 1], [page, 15]] as const) assert.ok(source.length >= count, String(source));
  for (const code of [...contracts, ...flowView, ...page, ...turn, ...sip, ...registration, ...media, ...own].filter(name => name !== 'unexpected')) {
    for (const { problems } of Object.values(catalogues)) assert.ok(Object.hasOwn(problems, code), code);
  }
});

test('a code without a text is shown in the server\'s words', () => {
  const [english, german] = [languageFor(['en']), languageFor(['de'])];
  assert.equal(problemText({ code: 'new_code', detail: 'The server says so.' }, german).text, 'The server says so.');
  assert.equal(problemText({ code: 'toString' }, english).title, 'Something went wrong');
  assert.equal(problemText({ code: 'busy', detail: 'SIP 486' }, german).title, 'Besetzt');
});

test('the first preferred language with a catalogue is chosen', () => {
  for (const [preferred, tag] of [[['de-AT', 'en'], 'de'], [['fr', 'de', 'en'], 'de'], [['en-GB', 'de'], 'en'], [['DE'], 'de'], [['fr'], 'en'], [[], 'en']] as const)
    assert.equal(languageFor(preferred).tag, tag, String(preferred));
});

for (const [file, section] of [['page/index.html', 'page'], ['page/demo.html', 'demo'], ['flow-view/index.html', 'flowPage']] as const) {
  test(`${file} has no text of its own, and uses every text of its section`, () => {
    const html = read(file);
    assert.deepEqual([...new Set(matches(html, /data-text(?:-\w+)?="(\w+)"/g))].sort(), Object.keys(catalogues.en[section]).sort());
    const visible = html.replace(/<noscript>.*<\/noscript>/gs, '').replace(/<[^>]+>/g, ' ').replace(/\b(WebRtcIms|FlowView|UDP|TCP|TLS)\b/g, '');
    assert.doesNotMatch(visible, /[a-z]{2}/i);
    assert.doesNotMatch(html, /\s(aria-label|title|placeholder)="/);
  });
}

test('an SVG file has the colours of the theme', () => {
  const theme = read('shared/theme.css');
  const drawing = read('shared/ladder/drawing.ts');
  for (const [colour, variable] of [...drawing.matchAll(/(\w+): '(--[\w-]+)'/g)].map(match => [match[1]!, match[2]!] as const)) {
    const [, light, dark] = new RegExp(`${variable}: light-dark\\((#\\w+), (#\\w+)\\)`).exec(theme) ?? [];
    assert.deepEqual([palettes.light, palettes.dark].map(palette => palette[colour as keyof typeof palette]), [light, dark], variable);
  }
});
