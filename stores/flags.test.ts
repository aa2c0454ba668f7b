import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ItemMark } from '../models/contracts/flag.ts';
import { type OpenFlagBook, takeMarks } from '../models/contracts/flag-book.ts';
import { openBlobDirectory } from './blobs-directory.ts';
import { type NewMarks, openFlagReader, putMarks } from './flags.ts';
import { openGenerationDirectory } from './generations-directory.ts';

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'und-flags-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const open = () => ({ blobs: openBlobDirectory({ root: join(root, 'blobs') }), generations: openGenerationDirectory({ root: join(root, 'series') }) });
const mark = (itemId: string, over: Partial<ItemMark> = {}): ItemMark => ({ itemId, scores: {}, flags: [], ...over });
const said = (operationId: string, marks: ItemMark[], over: Partial<NewMarks> = {}): NewMarks => ({
  ...{ surface: 'home', source: 'classifier', by: 'nightly', why: 'run 7', mode: 'replace', nowMs: 1_000 },
  ...{ operationId, marks, ...over },
});

it('whoever reads on and whoever begins later know the same: all that was said, in its order, beyond every base', async () => {
  const stores = open();
  const early = openFlagReader({ ...stores, surface: 'home' });
  expect(await early.look()).toBe(false);
  const expected: OpenFlagBook = new Map();
  for (let number = 1; number <= 120; number += 1) {
    const marks = [mark(`i${number % 7}`, { flags: number % 3 === 0 ? ['spam'] : [], scores: { hate: number / 1000 } }), mark(`n${number}`)];
    const mode = number % 11 === 0 ? 'clear' : 'replace';
    const change = await putMarks(stores, said(`op-${number}`, marks, { mode, source: number % 2 === 0 ? 'classifier' : 'team', nowMs: number }));
    expect(change).toMatchObject({ generation: number, count: 2 });
    takeMarks(expected, change, marks);
    if (number === 30) await early.look();
  }
  expect(await early.look()).toBe(true);
  const late = openFlagReader({ ...open(), surface: 'home' });
  await late.look();
  for (const reader of [early, late]) {
    expect(reader.book()).toEqual(expected);
    expect(reader.generation()).toBe(120);
    expect(await reader.look()).toBe(false);
  }
});

it('writers at the same time lose nothing, and what is sent again is not said twice', async () => {
  const stores = open();
  const written = await Promise.all(
    Array.from({ length: 12 }, (_, number) => putMarks(number % 2 === 0 ? stores : open(), said(`op-${number}`, [mark(`i${number}`)]))),
  );
  expect(written.map(({ generation }) => generation).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, number) => number + 1));
  expect(await putMarks(stores, said('op-3', [mark('i3')]))).toEqual(written[3]);
  const reader = openFlagReader({ ...stores, surface: 'home' });
  await reader.look();
  expect(reader.book().get('classifier')?.size).toBe(12);
  expect(reader.generation()).toBe(12);
});

it('more than a list of marks is one change, all of it or nothing', async () => {
  const stores = open();
  const marks = Array.from({ length: 12_001 }, (_, item) => mark(`i${item}`, { scores: { hate: 0.5 } }));
  await putMarks(stores, said('op-1', marks));
  const reader = openFlagReader({ ...stores, surface: 'home' });
  await reader.look();
  expect(reader.book().get('classifier')?.size).toBe(12_001);
  const second = await putMarks(
    stores,
    said(
      'op-2',
      marks.map(({ itemId }) => mark(itemId, { flags: ['spam'] })),
      { nowMs: 2_000 },
    ),
  );
  await stores.blobs.drop(second.marks[2] as string);
  await expect(reader.look()).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
  expect(reader.generation()).toBe(1);
  expect(reader.book().get('classifier')?.get('i0')?.flags).toEqual({});
});

it('refuses a look into the future, and notices that what it knew is gone', async () => {
  const stores = open();
  await expect(putMarks(stores, said('op-1', [mark('i1')], { asOfMs: 1_001 }))).rejects.toMatchObject({ code: 'UND-INPUT' });
  const reader = openFlagReader({ ...stores, surface: 'home' });
  expect(await reader.look()).toBe(false);
  await putMarks(stores, said('op-1', [mark('i1', { flags: ['spam'] })]));
  await reader.look();
  await rm(join(root, 'series'), { recursive: true });
  await expect(reader.look()).rejects.toMatchObject({ code: 'UND-STATE' });
  expect(reader.book().get('classifier')?.get('i1')?.flags).toEqual({ spam: null });
});
