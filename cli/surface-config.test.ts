import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { testCharter } from '../activities/events/testing.ts';
import { loadSurfaceConfig } from './surface-config.ts';

async function load(source: string, charter: object = testCharter()) {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'understudy.config.ts');
  await writeFile(path, `export default ${JSON.stringify(charter)};\n${source}\n`);
  return { folder, config: await loadSurfaceConfig(path) };
}

it('reads a charter with or without a source, whose path is relative to the file', async () => {
  expect((await load('')).config.source).toBeUndefined();
  const { folder, config } = await load("export const source = { file: 'events.csv', mapping: { name: 'plain', sql: 'SELECT * FROM raw' } };");
  expect(config.source).toEqual({ file: join(folder, 'events.csv'), mapping: { name: 'plain', requires: [], sql: 'SELECT * FROM raw' } });
  const several = await load("export const source = { file: '../data/2026-*/part-*.csv.gz', mapping: { name: 'plain', sql: 'SELECT * FROM raw' } };");
  expect(several.config.source?.file).toBe(join(several.folder, '../data/2026-*/part-*.csv.gz'));
});

it.each([
  ['{}', ['/source/file', '/source/mapping']],
  ["{ file: 'events.csv' }", ['/source/mapping']],
  ["{ file: 'events.csv', mapping: { name: 'plain', requires: [] } }", ['/source/mapping/sql']],
  ["{ file: '', mapping: { name: 'Plain!', sql: 'SELECT 1', colour: 'red' } }", ['/source/file', '/source/mapping/name', '/source/mapping/colour']],
  ['null', ['/source']],
])('names every mistake of a source: %s', async (source, paths) => {
  await expect(load(`export const source = ${source};`)).rejects.toMatchObject({
    code: 'UND-CHARTER',
    mistakes: expect.arrayContaining(paths.map((path) => expect.objectContaining({ path }))),
  });
});

it('names the mistakes of charter and source together', async () => {
  await expect(load("export const source = { file: 'events.csv' };", { ...testCharter(), surface: 'Not A Name', seed: -1 })).rejects.toMatchObject({
    code: 'UND-CHARTER',
    mistakes: [
      { path: '/surface', message: expect.anything() },
      { path: '/seed', message: expect.anything() },
      { path: '/source/mapping', message: expect.anything() },
    ],
  });
});
