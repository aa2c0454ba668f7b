import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import { itemWords } from '../../models/slate/item-words.ts';
import { scopeOf } from '../../models/slate/scope.ts';
import { type BlobStore, putDocument } from '../../stores/blobs.ts';
import { openBlobDirectory } from '../../stores/blobs-directory.ts';
import { readCatalog, readProfiles } from './read-document.ts';

let root: string;
let blobs: BlobStore;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-documents-'));
  blobs = openBlobDirectory({ root });
});
afterAll(() => rm(root, { recursive: true, force: true }));

const rules = { inStockOnly: true, excludeCategories: ['c3'], excludeItems: ['sku-7'] };
const itemsOf = (count: number): CatalogItem[] =>
  Array.from({ length: count }, (_, index) => ({
    itemId: `sku-${(index * 7_919) % count}`,
    title: `Product ${index}`,
    inStock: index % 5 !== 0,
    category: `c${index % 10}`,
  }));

it.each([0, Number.POSITIVE_INFINITY])('a catalog is the same read in place and by a thread (from %d bytes on)', async (largeBytes) => {
  const items = itemsOf(9_001);
  const digest = await putDocument(blobs, items);
  const expected = scopeOf({ scope: rules, items, vocabulary: [] });
  const { scope, inCatalog } = await readCatalog({ blobs, digest, rules, largeBytes });
  expect(scope.allowedIds).toEqual(expected.allowedIds);
  expect(scope.digest).toBe(expected.digest);
  for (const { itemId } of items) expect(inCatalog(itemId) && scope.allowed(itemId) === expected.allowed(itemId)).toBe(true);
  expect(inCatalog('stranger') || scope.allowed('stranger')).toBe(false);
});

it.each([0, Number.POSITIVE_INFINITY])('what items are compared by comes along where it is asked for (from %d bytes on)', async (largeBytes) => {
  const items = itemsOf(3_001);
  const digest = await putDocument(blobs, items);
  const { words, scope } = await readCatalog({ blobs, digest, rules, largeBytes, withWords: true });
  expect(words).toEqual(itemWords(items.filter(({ itemId }) => scope.allowed(itemId))));
  expect((await readCatalog({ blobs, digest, rules, largeBytes })).words).toBeNull();
});

it.each([0, Number.POSITIVE_INFINITY])('profiles too (from %d bytes on)', async (largeBytes) => {
  const profiles = Object.fromEntries(Array.from({ length: 501 }, (_, user) => [`u${user}`, [[`i${user}`, 1 + (user % 4)]]]));
  const digest = await putDocument(blobs, profiles);
  expect(Object.fromEntries(await readProfiles({ blobs, digest, largeBytes }))).toEqual(profiles);
});

it('what is missing, altered or makes no sense is refused with its code, and what is given up ends', async () => {
  const digest = await putDocument(blobs, itemsOf(3_000));
  const read = (over: Partial<Parameters<typeof readCatalog>[0]> = {}) => readCatalog({ blobs, digest, rules, largeBytes: 0, ...over });
  await expect(read({ digest: `sha256:${'0'.repeat(64)}` })).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
  await expect(read({ digest: await putDocument(blobs, { not: 'a catalog' }) })).rejects.toMatchObject({ code: 'UND-INTERNAL' });
  await expect(read({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'UND-TIMEOUT' });
  await read();
  const path = await blobs.localPath(digest);
  await rm(path);
  await writeFile(path, '[]');
  // The store has verified it before and does not look again.
  await expect(read()).rejects.toMatchObject({ code: 'UND-DIGEST' });
});

it('a large catalog does not hold up the event loop', async () => {
  const digest = await putDocument(blobs, itemsOf(100_000));
  const longest = async (largeBytes: number) => {
    let gap = 0;
    let last = performance.now();
    let reading = true;
    const ticking = (async () => {
      while (reading) {
        await nextTurn();
        gap = Math.max(gap, performance.now() - last);
        last = performance.now();
      }
    })();
    await readCatalog({ blobs, digest, rules, largeBytes });
    reading = false;
    await ticking;
    return gap;
  };
  await blobs.localPath(digest);
  // Against the same work in place, in the same run: a busy machine slows both.
  expect(await longest(0)).toBeLessThan((await longest(Number.POSITIVE_INFINITY)) / 2);
});
