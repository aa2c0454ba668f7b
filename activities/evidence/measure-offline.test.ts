import { expect, it, onTestFinished } from 'vitest';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import { type Happening, openEvidence } from './testing.ts';

const { log2 } = Math;
const at = (day: number, hour = 12) => Date.UTC(2026, 0, 5 + day, hour);
const bought = (user: string, day: number, ...items: string[]): Happening[] => items.map((item, order) => ({ user, item, atMs: at(day, 8 + order) }));

/** Days 0 and 1 train, day 2 is the gap, day 3 tests. Events: a 15, b 8, c 4, d 1, so popularity answers a, b, c, d to everybody. */
const happenings: Happening[] = [
  ...bought('light0', 0, 'a'),
  ...['light1', 'light2', 'light3', 'light4', 'light5'].flatMap((user) => bought(user, 1, 'a')),
  ...['heavy0', 'heavy1', 'heavy2', 'heavy3'].flatMap((user) => bought(user, 1, 'a', 'b', 'a', 'b', 'c')),
  ...bought('other', 1, 'd', 'a'),
  ...bought('light0', 3, 'b'),
  ...bought('light1', 3, 'b'),
  ...bought('light2', 3, 'c'),
  ...bought('heavy0', 3, 'a'),
  ...bought('heavy1', 3, 'a'),
  ...bought('heavy2', 3, 'd'),
  ...bought('new0', 3, 'a'),
  ...bought('new1', 3, 'c', 'unheard-of'),
  ...bought('new2', 3, 'unheard-of'),
];
const catalog: CatalogItem[] = [
  { itemId: 'a', title: 'a', category: 'x', inStock: true },
  { itemId: 'b', title: 'b', category: 'y', inStock: true },
  { itemId: 'c', title: 'c', category: 'y', inStock: true },
];
const charter = {
  evaluation: {
    minSegmentUsers: 2,
    segments: [
      { by: 'events' as const, bounds: [5] },
      { by: 'days-since-last' as const, bounds: [1] },
      { by: 'category' as const, atMost: 1 },
    ],
  },
};

async function open(change: Partial<Parameters<typeof openEvidence>[0]> = {}) {
  const evidence = await openEvidence({ happenings, catalog, charter, nowMs: at(4), ...change });
  onTestFinished(() => evidence.close());
  return evidence;
}

it('slices and segments of the users: golden values, worked out by hand', async () => {
  const { train, measure } = await open();
  const found = await measure(await train('popularity'));
  const ndcg = (part: { users: number; tooFew?: boolean | undefined; metrics: Record<string, { value: number }> } | undefined) => [
    part?.users,
    part?.tooFew,
    part?.metrics['ndcg@10']?.value,
  ];
  const light = [1 / log2(3), 1 / log2(3), 1 / 2];
  const heavy = [1, 1, 1 / log2(5)];
  const mean = (values: number[]) => expect.closeTo(values.reduce((sum, one) => sum + one, 0) / values.length, 12);
  expect(found.users).toBe(6);
  expect(found.metrics['ndcg@10']?.value).toEqual(mean([...light, ...heavy]));
  expect(Object.entries(found.slices ?? {}).map(([name, slice]) => [name, ...ndcg(slice)])).toEqual([
    ['cold-users', 3, false, mean(light)],
    // c and d have fewer than five events.
    ['cold-items', 2, false, mean([1 / 2, 1 / log2(5)])],
    // Who wants only what training never saw is not measured.
    ['new-users', 2, false, mean([1, 1 / 2])],
  ]);
  expect(found.segments?.map((one) => [one.by, one.value, ...ndcg(one)])).toEqual([
    ['events', 'under 5', 3, false, mean(light)],
    ['events', '5 and more', 3, false, mean(heavy)],
    ['days-since-last', 'under 1', 5, false, mean([...light.slice(1), ...heavy])],
    // One user tells nothing: there is no figure that could be read.
    ['days-since-last', '1 and more', 1, true, undefined],
    // Most of what a heavy user has is of y. As many are of x: the alphabet decides which is named.
    ['category', 'x', 3, false, mean(light)],
    ['category', '1 others', 3, false, mean(heavy)],
  ]);
  expect(found.segments?.[3]).toEqual({ by: 'days-since-last', value: '1 and more', users: 1, tooFew: true, metrics: {}, lift: null });
});

it('a lift of a part is paired by its users', async () => {
  const { train, measure } = await open();
  const [candidate, champion] = [await train('popularity'), await train('popularity', { halfLifeDays: 0.01 })];
  const [mine, theirs, compared] = [await measure(candidate), await measure(champion), await measure(candidate, champion)];
  for (const [place, segment] of (compared.segments ?? []).entries()) {
    const [one, other] = [mine.segments?.[place], theirs.segments?.[place]];
    expect(segment.metrics).toEqual(one?.metrics);
    for (const [name, { value }] of Object.entries(segment.lift ?? {}))
      expect(value, name).toBeCloseTo((one?.metrics[name]?.value ?? 0) - (other?.metrics[name]?.value ?? 0), 12);
  }
  expect(compared.segments?.filter(({ lift }) => lift !== null)).toHaveLength(5);
  expect(compared.lift?.['ndcg@10']?.value).not.toBe(0);
});
