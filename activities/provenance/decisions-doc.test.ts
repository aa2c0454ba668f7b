import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

async function sourcesThatDecide(): Promise<string[]> {
  const found: string[] = [];
  for (const room of ['activities', 'cli', 'serving', 'stores', 'workflows'])
    for (const file of await readdir(join(root, room), { recursive: true })) {
      if (!/\.ts$/.test(file) || /\.test\.ts$|(^|\/)testing[^/]*\.ts$/.test(file)) continue;
      const text = await readFile(join(root, room, file), 'utf8');
      if (/\bappendLedger(IfPossible)?\(/.test(text)) found.push(`${room}/${file}`);
    }
  return found.sort();
}

it('docs/provenance.md names each place that decides something, what its entries are called, and a test that has them from a run', async () => {
  const doc = await readFile(join(root, 'docs', 'provenance.md'), 'utf8');
  const names = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
  const rows = doc
    .slice(doc.indexOf('### What it holds'), doc.indexOf('## Why was this shown?'))
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|'));
  expect([...new Set(rows.flatMap((row) => names(row[3])))].sort()).toEqual(await sourcesThatDecide());
  for (const row of rows) {
    const tests = await Promise.all(names(row[4]).map((file) => readFile(join(root, file), 'utf8')));
    const entries = names(row[1]).map((name) => name.replace('…', ''));
    expect(
      entries.filter((name) => !tests.some((text) => text.includes(name))),
      `${row[1]} in ${row[4]}`,
    ).toEqual([]);
  }
});
