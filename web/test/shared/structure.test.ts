import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { test } from 'node:test';

// oxlint finds cycles of files. Folders are compared here: each may import only from those before it.
const order = ['shared', 'page/telemetry', 'page/call', 'page/ims', 'page/phone', 'page/stage', 'page/ui', 'page'];

test('the folders of the page import in one direction', () => {
  const files = ['shared', 'page'].flatMap(folder => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts')).map(name => `${folder}/${name}`));
  const folderOf = (file: string) => file.startsWith('shared/') ? 'shared' : dirname(file);
  let imports = 0;
  for (const file of files) {
    assert.ok(order.includes(folderOf(file)), `${file} is in a folder without a place in the order.`);
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)'/g)) {
      const imported = join(dirname(file), target!);
      assert.ok(order.indexOf(folderOf(imported)) <= order.indexOf(folderOf(file)), `${file} imports ${imported}`);
      imports++;
    }
  }
  assert.ok(imports > 80, String(imports));
});
