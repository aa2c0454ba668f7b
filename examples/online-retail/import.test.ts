import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalogDocument } from '../../activities/events/build-catalog.ts';
import { ingestBatch } from '../../activities/events/ingest-batch.ts';
import { mapping as mappingDocument } from '../../activities/events/mapping.ts';
import { type Bench, openBench, parquetRows, withBench } from '../../activities/events/testing.ts';
import { cutWindow } from '../../activities/windows/cut-window.ts';
import { mergeDataState } from '../../activities/windows/merge-data-state.ts';
import { readHistories, readShoppers } from '../../activities/windows/read-shoppers.ts';
import { readTest } from '../../activities/windows/read-test.ts';
import { readTrain } from '../../activities/windows/read-window.ts';
import { parseCharter } from '../../models/contracts/charter.ts';
import type { IngestManifest, WindowManifest } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import config, { source } from './understudy.config.ts';

const file = fileURLToPath(new URL(source.file, import.meta.url));
const charter = parseCharter(config);
const endsAt = '2026-11-23';

type Line = { invoice: string; code: string; description: string; quantity: number; date: string; price: string; customer: string };
let lines: Line[];
let raw: string[];

/** A reader of its own, so that the counts are found twice by different means. */
function parse(line: string): Line {
  const cells: string[] = [];
  for (const match of line.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g)) cells.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
  const [invoice = '', code = '', description = '', quantity = '', date = '', price = '', customer = ''] = cells;
  return { invoice, code: code.toUpperCase(), description, quantity: Number(quantity), date, price, customer };
}

type Fate = 'purchase' | 'return' | 'bad-debt' | 'zero-price' | 'stock-adjustment' | 'out-of-scope-code';
function fateOf({ invoice, code, quantity, price }: Line): Fate {
  const pence = Math.round(Number(price) * 100);
  if (invoice.startsWith('A')) return 'bad-debt';
  if (pence === 0) return quantity < 0 && !invoice.startsWith('C') ? 'stock-adjustment' : 'zero-price';
  if (!/^[0-9]{5}[A-Z]*$/.test(code)) return 'out-of-scope-code';
  return invoice.startsWith('C') || quantity < 0 ? 'return' : 'purchase';
}

function countByHand(some: readonly Line[]) {
  const counts: Record<string, number> = {};
  const seen = new Set<string>();
  let duplicates = 0;
  for (const line of some) {
    const fate = fateOf(line);
    const key = [line.invoice, line.code, line.quantity, line.date, line.price].join('|');
    const accepted = fate === 'purchase' || fate === 'return';
    if (accepted && seen.has(key)) duplicates += 1;
    else counts[fate] = (counts[fate] ?? 0) + 1;
    if (accepted) seen.add(key);
  }
  const { purchase = 0, return: returned = 0, ...quarantined } = counts;
  return { acceptedByKind: { purchase, ...(returned > 0 ? { return: returned } : {}) }, quarantineByReason: quarantined, duplicates };
}

beforeAll(async () => {
  raw = gunzipSync(await readFile(file))
    .toString('utf8')
    .trimEnd()
    .split('\n');
  lines = raw.slice(1).map(parse);
});

const ingest = (bench: Bench, path: string, name = 'online-retail') =>
  ingestBatch({ surface: 'home', charter, source: { path, name }, mapping: source.mapping, blobs: bench.blobs, workDir: join(bench.folder, 'work'), endsAt });

describe('the importer on parts of the file', () => {
  it('is data that can be stored', () => {
    expect(mappingDocument.parse(JSON.parse(JSON.stringify(source.mapping)))).toEqual(source.mapping);
  });

  it.each([
    [0, 4_000],
    [40_000, 4_000],
    [220_000, 9_000],
    [537_000, 4_909],
  ])('counts from line %i as counting by hand does', (from, count) =>
    withBench(async (bench) => {
      const path = join(bench.folder, 'part.csv');
      await writeFile(path, `${[raw[0], ...raw.slice(1 + from, 1 + from + count)].join('\n')}\n`);
      const { manifest } = await ingest(bench, path);
      const byHand = countByHand(lines.slice(from, from + count));
      expect(manifest.acceptedByKind).toEqual(byHand.acceptedByKind);
      expect(manifest.quarantineByReason).toEqual(byHand.quarantineByReason);
      expect(manifest.counts.duplicates).toBe(byHand.duplicates);
    }),
  );
});

describe('the whole file', () => {
  let bench: Awaited<ReturnType<typeof openBench>>;
  let manifest: IngestManifest;
  let window: WindowManifest;
  let tookMs: number;

  beforeAll(async () => {
    bench = await openBench();
    const startedMs = performance.now();
    const result = await ingest(bench, file);
    tookMs = performance.now() - startedMs;
    manifest = result.manifest;
    const dataState = mergeDataState({ previous: undefined, manifest, manifestDigest: result.digest });
    window = cutWindow({ dataState, charter, rulesDigest: manifest.rulesDigest });
  }, 60_000);

  afterAll(() => bench.close());

  it('accounts for all 541,909 lines, as counting by hand does', () => {
    console.log(`ingest of the whole file: ${(tookMs / 1000).toFixed(1)} s`);
    expect(manifest.counts).toEqual({ input: 541_909, accepted: 531_170, quarantined: 5_480, duplicates: 5_259 });
    expect(manifest.acceptedByKind).toEqual({ purchase: 522_502, return: 8_668 });
    expect(manifest.quarantineByReason).toEqual({ 'bad-debt': 3, 'out-of-scope-code': 2_958, 'stock-adjustment': 1_336, 'zero-price': 1_183 });
    const byHand = countByHand(lines);
    expect({ ...byHand.acceptedByKind }).toEqual(manifest.acceptedByKind);
    expect(byHand.quarantineByReason).toEqual(manifest.quarantineByReason);
    expect(byHand.duplicates).toBe(manifest.counts.duplicates);
    expect(manifest.warnings).toEqual([{ rule: 'fresh', message: 'does not apply: the timestamps were shifted by 5460 days', value: 5460 }]);
  });

  it('is shifted by 780 weeks, onto the same weekdays', () => {
    expect(manifest.shiftDays).toBe(5_460);
    expect(manifest.slices.length).toBe(305);
    expect([manifest.slices[0]?.day, manifest.slices.at(-1)?.day]).toEqual(['2025-11-12', '2026-11-20']);
    // The shop is closed on Saturdays.
    expect(manifest.slices.filter(({ day }) => new Date(day).getUTCDay() === 6)).toEqual([]);
  });

  it('keeps its rows, whatever wrote them', () => {
    expect(manifest.slices[0]?.logicalDigest).toBe('sha256:f1161ba6641627d0d01c168e6ed4f9d37cbe0e2aee37b4fa142dc7aa1b6e3a9d');
    expect(manifest.slices.at(-1)?.logicalDigest).toBe('sha256:69ae01439931df482c958d9da9f0fc509426fc9545292a7a5a5e2d69c480b80b');
  });

  it('keeps what it turned away', async () => {
    const rows = await parquetRows<{ line: string; reason: string; raw: string }>({ blobs: bench.blobs, digest: manifest.quarantine ?? '' });
    expect(rows.length).toBe(manifest.counts.quarantined);
    const one = rows[rows.length >> 1];
    const line = lines[Number(one?.line) - 1];
    expect(JSON.parse(one?.raw ?? '')).toMatchObject({ InvoiceNo: line?.invoice, UnitPrice: line?.price });
    expect(one?.reason).toBe(fateOf(line as Line));
  });

  it('gives a catalog of products with titles, prices, spans, stock and a guess at a category', async () => {
    const items = await getDocument(bench.blobs, manifest.catalog, catalogDocument);
    expect(items.length).toBe(new Set(lines.filter((line) => ['purchase', 'return'].includes(fateOf(line))).map((line) => line.code)).size);
    const holder = items.find((item) => item.itemId === '85123A');
    expect(holder).toMatchObject({ title: 'WHITE HANGING HEART T-LIGHT HOLDER', category: 'holder', inStock: true });
    expect(holder?.priceMinor).toBeGreaterThan(100);
    expect(items.every((item) => (item.availableFromMs ?? 0) <= (item.availableUntilMs ?? 0))).toBe(true);
    expect(items.filter((item) => !item.inStock).length).toBe(731);
  });

  it('gives a window, and interactions that agree with it', async () => {
    expect(window).toMatchObject({
      train: { from: '2026-01-03', to: '2026-10-29' },
      gapDays: 1,
      test: { from: '2026-10-31', to: '2026-11-20' },
      rows: { train: 403_485, test: 58_643 },
    });
    const train = await readTrain({ window, blobs: bench.blobs, charter });
    expect([train.vocabulary.length, train.userIds.length, train.interactions.items.length]).toEqual([3_659, 5_016, 394_481]);
    expect(train.interactions.indptr.at(-1)).toBe(394_481);
    const test = await readTest({ window, blobs: bench.blobs, charter, ...train });
    expect(test.users.length).toBe(1_037);
    expect(test.left).toEqual({ coldUsers: 175, sessions: 86, outOfVocabulary: 348, outOfScope: 41, repeats: 0, usersWithoutRelevant: 0 });
    const relevant = test.users.reduce((sum, user) => sum + user.relevant.length, 0);
    const repeats = relevant - test.users.reduce((sum, user) => sum + user.relevantNew.length, 0);
    expect(repeats / relevant).toBeCloseTo(0.458, 3);
    const strict = await readTest({ window, blobs: bench.blobs, charter: { ...charter, repeatPolicy: 'exclude-purchased' }, ...train });
    expect(strict.users.every((user) => user.relevant.length === user.relevantNew.length && user.exclude.length > 0)).toBe(true);
    expect(strict.left.repeats).toBe(repeats);
  });

  it('gives histories and shoppers', async () => {
    const histories = await readHistories({ window, blobs: bench.blobs, charter, maxItems: 50 });
    expect(histories.size).toBe(3_960);
    expect(Math.max(...[...histories.values()].map((history) => history.length))).toBe(50);
    const shoppers = await readShoppers({ window, blobs: bench.blobs, charter });
    expect(shoppers.length).toBe(1_037 + 175);
    expect(shoppers.filter((shopper) => shopper.history.length === 0).length).toBe(175);
    expect(shoppers.every((shopper) => shopper.wants.every((want) => want.repeat === shopper.history.includes(want.itemId)))).toBe(true);
  });
});
