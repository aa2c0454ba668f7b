import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Charter } from '../../models/contracts/charter.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { scopeOf } from '../../models/slate/scope.ts';
import { getDocument } from '../../stores/blobs.ts';
import { catalogDocument } from '../events/build-catalog.ts';
import { columnMapping } from '../events/column-mapping.ts';
import { ingestBatch } from '../events/ingest-batch.ts';
import { type Bench, testCharter, withBench } from '../events/testing.ts';
import { factsOfSplit } from '../evidence/check-leak.ts';
import { cutWindow } from './cut-window.ts';
import { addDays } from './days.ts';
import { mergeDataState } from './merge-data-state.ts';
import { readTest } from './read-test.ts';
import { readTrain } from './read-window.ts';
import { scopeBiasAsOf } from './scope-as-of.ts';

const day = (offset: number) => addDays('2026-03-02', offset);
const trainDays = 20;
/** An item was sold on a day. */
type Sale = { item: number; day: number };

async function ingest({ bench, sales, inStockDays, charter }: { bench: Bench; sales: Sale[]; inStockDays: number | undefined; charter: Charter }) {
  const path = join(bench.folder, 'sales.csv');
  await writeFile(
    path,
    `user,item,at,group\n${sales.map((sale, line) => `u${line % 4},i${sale.item},${day(sale.day)} 12:00:00,g${sale.item % 3}`).join('\n')}\n`,
  );
  const mapping = {
    ...columnMapping({ user: 'user', item: 'item', at: 'at', category: 'group', constantKind: 'purchase' }),
    ...(inStockDays === undefined ? {} : { inStockDays }),
  };
  return ingestBatch({ surface: 'home', charter, source: { path, name: 'sales' }, mapping, blobs: bench.blobs, workDir: join(bench.folder, 'work') });
}

it(
  'is the scope that was served at the split',
  () =>
    withBench(async (bench) => {
      const sale = fc.record({ item: fc.integer({ min: 0, max: 11 }), day: fc.integer({ min: 0, max: trainDays + 3 }) });
      const scope = fc.record({ inStockOnly: fc.boolean(), excludeCategories: fc.subarray(['g1', 'g2']), excludeItems: fc.subarray(['i3', 'i4']) });
      await fc.assert(
        fc.asyncProperty(
          fc.array(sale, { maxLength: 30 }),
          scope,
          fc.option(fc.integer({ min: 1, max: 25 }), { nil: undefined }),
          async (some, rules, inStockDays) => {
            const charter = testCharter({ scope: rules, window: { trainDays, gapDays: 1, testDays: 3 } });
            const sales = [{ item: 0, day: 0 }, ...some, { item: 1, day: trainDays - 1 }, { item: 0, day: trainDays + 3 }];
            const { manifest, digest } = await ingest({ bench, sales, inStockDays, charter });
            const dataState = mergeDataState({ previous: undefined, manifest, manifestDigest: digest });
            const source = { window: cutWindow({ dataState, charter, rulesDigest: manifest.rulesDigest }), blobs: bench.blobs, charter };
            const train = await readTrain(source);
            const test = await readTest({ ...source, ...train });
            const offline = test.scopeBias;
            // Nor does the check that looks for what came later find anything.
            const catalog = await getDocument(bench.blobs, dataState.catalog, catalogDocument);
            expect(factsOfSplit({ ...source, catalog, train, test })).toMatchObject({ otherHistories: 0, notYetOnSale: 0, alreadyGone: 0 });

            const then = await ingest({ bench, sales: sales.filter((one) => one.day < trainDays), inStockDays, charter });
            const items = await getDocument(bench.blobs, then.manifest.catalog, catalogDocument);
            expect(offline).toEqual(scopeOf({ scope: charter.scope, items, vocabulary: train.vocabulary }).bias);
          },
        ),
        { numRuns: 12, seed: Number(process.env.UNDERSTUDY_TEST_SEED) },
      );
    }),
  60_000,
);

it('reads windows of before, and judges nothing where no row tells', () => {
  const dayMs = 86_400_000;
  const catalog = ['old', 'new', 'gone'].map((itemId) => ({ itemId, title: itemId, inStock: itemId !== 'gone', availableUntilMs: 200 * dayMs }));
  const lastSeenMs = new Map([
    ['old', 30 * dayMs],
    ['new', 100 * dayMs],
    ['gone', 100 * dayMs],
  ]);
  const bias = (window: Pick<WindowManifest, 'inStockDays'>, seen: ReadonlyMap<string, number> = lastSeenMs) =>
    [...scopeBiasAsOf({ vocabulary: ['old', 'new', 'gone', 'unknown'], catalog, charter: testCharter(), window, lastSeenMs: seen })].map(
      (value) => value === 0,
    );
  expect(bias({})).toEqual([false, true, true, false]);
  expect(bias({ inStockDays: 70 })).toEqual([true, true, true, false]);
  expect(bias({ inStockDays: null })).toEqual([true, true, false, false]);
  expect(bias({ inStockDays: 70 }, new Map())).toEqual([true, true, false, false]);
});
