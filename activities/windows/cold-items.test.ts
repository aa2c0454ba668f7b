import { expect, test } from 'vitest';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { createRandom } from '../../models/random.ts';
import { loadArtifact } from '../../stores/artifacts.ts';
import { readTrain } from './read-window.ts';
import { type Happening, openEvidence } from '../evidence/testing.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const dayMs = 86_400_000;
const at = (day: number) => Date.UTC(2026, 2, 2) + day * dayMs;
const [trainDays, testDays] = [20, 5];
const splitMs = at(trainDays);
const tastes = ['lamp', 'rug', 'clock', 'vase'];

/** A shop in which everybody likes one kind of thing; what comes into the catalog last is wanted in the test part, and by those who like its kind. */
async function shop(change: Partial<CharterInput>) {
  const random = createRandom(seed);
  const itemOf = (number: number): CatalogItem => ({
    ...{ itemId: `i${String(number).padStart(2, '0')}`, title: `${['red', 'green', 'blue'][number % 3]} ${tastes[number % 4]}`, inStock: true },
    category: tastes[number % 4] as string,
    // The last eight are new: four of before the split, four of after.
    ...(number < 40 ? {} : { availableFromMs: number < 44 ? splitMs - dayMs : splitMs + dayMs }),
  });
  const catalog = Array.from({ length: 48 }, (_, number) => itemOf(number));
  const happenings = Array.from({ length: 200 }, (_, user): Happening[] => {
    const own = user % 4;
    const liked = () => (random.float() < 0.9 ? 4 * random.below(10) + own : random.below(40));
    const buy = (number: number, day: number): Happening => ({ user: `u${user}`, item: (catalog[number] as CatalogItem).itemId, atMs: at(day) + user });
    const past = Array.from({ length: 6 }, (_, event) => buy(liked(), event === 0 && user === 0 ? 0 : random.below(trainDays)));
    return [...past, buy(40 + own, trainDays + 1 + random.below(testDays)), buy(44 + own, trainDays + 1 + random.below(testDays))];
  }).flat();
  return openEvidence({
    happenings,
    catalog,
    nowMs: at(40),
    charter: { window: { trainDays, gapDays: 1, testDays }, scope: { inStockOnly: false }, repeatPolicy: 'exclude-purchased', ...change },
  });
}

test('what the catalog had at the split and nobody had is found by what it is; what came in since is not known', async () => {
  const evidence = await shop({ coldItems: 'metadata' });
  try {
    const [ials, popularity] = [await evidence.train('ials', { factors: 16 }), await evidence.train('popularity')];
    const { blobs, generations } = evidence.context.state;
    const { vocabulary } = await loadArtifact({ blobs, generations, digest: ials });
    expect(vocabulary).toEqual([...Array.from({ length: 44 }, (_, number) => `i${String(number).padStart(2, '0')}`)]);
    const measured = await evidence.measure(ials, popularity);
    // One of four new items is of a user's kind, and the ten that are shown have room for it beside those that were not bought.
    const cold = measured.slices?.['cold-items'];
    expect(cold?.users).toBeGreaterThan(100);
    expect(cold?.metrics['hit-rate@10']?.value).toBeGreaterThan(0.5);
    expect(cold?.lift?.['ndcg@10']?.low).toBeGreaterThan(0);
    expect(measured.leak?.filter(({ passed }) => !passed)).toEqual([]);
  } finally {
    await evidence.close();
  }
});

test('where the charter does not ask for it, a model knows what has happened and nothing else', async () => {
  const evidence = await shop({});
  try {
    const { blobs, generations } = evidence.context.state;
    const { vocabulary } = await loadArtifact({ blobs, generations, digest: await evidence.train('ials', { factors: 16 }) });
    expect(vocabulary).toHaveLength(40);
    // Some learn from what is known of the others all the same.
    const told = (algorithm: string) => {
      const { window, charter } = evidence;
      const { confidence, repeatPolicy } = charter;
      const recipe = { kind: 'recipe', surface: 'home', candidate: 'one', algorithm, params: {}, seed: 1, confidence, repeatPolicy, guest: null } as const;
      return readTrain({ window, blobs, charter, recipe });
    };
    const [without, ncf] = [await told('ials'), await told('ncf')];
    expect(without.attributes).toBeUndefined();
    expect(ncf).toEqual({ ...without, attributes: expect.objectContaining({ fields: ['category', 'brand', 'price', 'word'] }) });
    expect(ncf.attributes?.indptr).toHaveLength(41);
    expect(ncf.attributes?.attributes.length).toBeGreaterThan(80);
  } finally {
    await evidence.close();
  }
});
