import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { feedbackMeasures } from '../../models/contracts/audit-measures.ts';
import { createRandom, type Random } from '../../models/random.ts';
import { aliasOf, pick } from '../simulator/alias.ts';
import { jaccard } from './generation-figures.ts';
import { sumGeneration } from './generation-sums.ts';
import { type FeedbackInput, measureFeedback } from './measure-feedback.ts';
import { attentionAt, demandWeight, type GenerationLog, type ShownSlate } from './shown-slate.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const itemIds = Array.from({ length: 100 }, (_, item) => `i${item}`);
const size = 5;

/** Draws different items, each the likelier the higher its weight. */
function drawerOf(random: Random, weights: Float64Array): (count: number) => string[] {
  const alias = aliasOf(weights);
  return (count) => {
    const found = new Set<string>();
    while (found.size < count) found.add(itemIds[pick(alias, random.uint32())] as string);
    return [...found];
  };
}
const zipf = (power: number): Float64Array => {
  const weights = Float64Array.from(itemIds, (_, rank) => (rank + 3) ** -power);
  const total = weights.reduce((sum, one) => sum + one, 0);
  return weights.map((one) => one / total);
};

type World = { exposure: number; demand: number; slates?: number; organic?: number; explored?: boolean };

/** What is shown and what is wanted fall with the rank by these powers. */
function generation(number: number, random: Random, { exposure, demand, slates = 1500, organic = 3000, explored = false }: World): GenerationLog {
  const wanted = zipf(demand);
  const [shown, asked] = [drawerOf(random, zipf(exposure)), drawerOf(random, wanted)];
  const wantedOf = new Map(itemIds.map((item, rank) => [item, wanted[rank] as number]));
  return {
    name: `model ${number}`,
    fromMs: number,
    slates: Array.from({ length: slates }, (_, slate): ShownSlate => {
      const items = shown(size);
      // One place is drawn from all that the slate does not show.
      const slot = random.below(size);
      const outside = itemIds.length - size;
      let drawn = itemIds[random.below(itemIds.length)] as string;
      while (items.includes(drawn)) drawn = itemIds[random.below(itemIds.length)] as string;
      if (explored) items[slot] = drawn;
      const propensities = items.map((_, place) => (place === slot ? 1 / outside / size : 1 - 1 / size));
      return {
        unit: `u${slate}`,
        items,
        engaged: items.map((item, place) => random.float() < 15 * attentionAt(place) * (wantedOf.get(item) as number)),
        propensities: explored ? propensities : null,
        exploredSlots: explored ? [slot] : [],
      };
    }),
    organic: Array.from({ length: organic }, (_, event) => ({ unit: `o${event}`, itemId: asked(1)[0] as string })),
  };
}
const popularity = new Map(itemIds.map((itemId, rank) => [itemId, 1000 - rank]));
const measured = (worlds: readonly World[], change: Partial<FeedbackInput> = {}, own = seed) => {
  const random = createRandom(own);
  const generations = worlds.map((world, number) => generation(number, random, world));
  return measureFeedback({ generations, itemIds, popularity, group: (item) => (item.length > 2 ? 'rest' : 'head'), seed: 1, ...change });
};
const over = (count: number, of: (part: number) => World): World[] => Array.from({ length: count }, (_, number) => of(number / (count - 1)));

describe('feedback', () => {
  it('is seen where exposure moves away from demand, and not where both move together, or nothing does', () => {
    const amplifying = measured(over(8, (part) => ({ exposure: 0.6 + part, demand: 0.6 })));
    expect(feedbackMeasures.parse(amplifying)).toMatchObject({ verdict: 'amplifying', reference: 'organic' });
    expect(amplifying.trends.find(({ figure }) => figure === 'gini')?.change.low).toBeGreaterThan(0);
    expect(amplifying.trends.find(({ figure }) => figure === 'entropy')?.change.high).toBeLessThan(0);
    const [first, last] = [amplifying.generations[0], amplifying.generations.at(-1)];
    expect(last?.figures.homogenization?.low).toBeGreaterThan(first?.figures.homogenization?.high ?? 1);
    expect(last?.deciles?.[0]?.exposure).toBeGreaterThan(1.5 * (last?.deciles?.[0]?.demand ?? 1));
    const season = measured(over(8, (part) => ({ exposure: 0.6 + part, demand: 0.6 + part })));
    expect(season.verdict).not.toBe('amplifying');
    expect(season.trends.find(({ figure }) => figure === 'gini')?.change.low).toBeGreaterThan(0);
    // Of eight generations the interval is too wide for one seed in twelve.
    expect(measured(over(12, () => ({ exposure: 0.8, demand: 0.8, slates: 4000, organic: 8000 }))).verdict).toBe('stable');
  }, 60_000);

  it('takes demand from exploration where that says enough, and then needs no other events', () => {
    const found = measured(over(8, (part) => ({ exposure: 2 * part, demand: 0.2, slates: 5000, organic: 0, explored: true })));
    expect(found).toMatchObject({ verdict: 'amplifying', reference: 'exploration' });
    expect(found.generations[0]?.figures.lastSlotExamination?.value).toBeGreaterThan(0);
    expect(found.groups.every(({ rateWhenDrawn }) => rateWhenDrawn !== null)).toBe(true);
    // What the first tenth of the catalog is wanted for, by the truth.
    const truth = zipf(0.2)
      .slice(0, 10)
      .reduce((sum, one) => sum + one, 0);
    for (const { deciles } of found.generations) expect(Math.abs((deciles?.[0]?.demand ?? 0) - truth)).toBeLessThan(0.12);
  }, 60_000);

  it('says that there is not enough evidence without demand, with few generations or few slates', () => {
    const none = measured(over(6, (part) => ({ exposure: 0.6 + part, demand: 0.6, slates: 300, organic: 10 })));
    expect(none).toMatchObject({ verdict: 'not-enough-evidence', reference: null });
    expect(none.generations[0]?.figures.amplification).toBeNull();
    const few = measured(over(3, (part) => ({ exposure: 0.6 + part, demand: 0.6, slates: 300 })));
    expect(few).toMatchObject({ verdict: 'not-enough-evidence', trends: [] });
    const small = measured(over(6, () => ({ exposure: 0.6, demand: 0.6, slates: 50 })));
    expect(feedbackMeasures.parse(small)).toMatchObject({ leftOut: 6, generations: [], verdict: 'not-enough-evidence' });
    const unknown = measured(
      over(4, () => ({ exposure: 0.6, demand: 0.6, slates: 250 })),
      { popularity: null },
    );
    expect(unknown.generations[0]).toMatchObject({ deciles: null, figures: { longTailShare: null } });
  }, 60_000);

  it('measures coverage on as many slates of each generation', () => {
    const found = measured([1, 1, 1, 8].map((times) => ({ exposure: 1.2, demand: 1.2, slates: 250 * times })));
    expect(found.slatesAlike).toBe(250);
    const [one, , , many] = found.generations.map(({ figures }) => figures.coverage?.value ?? 0);
    expect(Math.abs((one ?? 0) - (many ?? 1))).toBeLessThan(0.12);
  }, 60_000);
});

describe('demandWeight', () => {
  it('makes engagements unbiased, whatever stands where', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.integer({ min: 1, max: 20 }), (places, outside) => {
        const base = Array.from({ length: places }, (_, place) => `b${place}`);
        // Expected weight of an item that is engaged with wherever it is looked at: by all slates that one drawn place can make.
        const sums = new Map<string, number>();
        for (let slot = 0; slot < places; slot += 1)
          for (let drawn = 0; drawn < outside; drawn += 1) {
            const items = base.map((item, place) => (place === slot ? `d${drawn}` : item));
            const propensities = items.map((_, place) => (place === slot ? 1 / outside / places : 1 - 1 / places));
            for (const [place, item] of items.entries()) {
              const weight = demandWeight({ items, propensities, exploredSlots: [slot] }, place) ?? 0;
              sums.set(item, (sums.get(item) ?? 0) + (weight * attentionAt(place)) / places / outside);
            }
          }
        for (const sum of sums.values()) expect(sum).toBeCloseTo(1, 9);
      }),
    );
    expect(demandWeight({ items: ['a'], propensities: null, exploredSlots: [] }, 0)).toBeNull();
  });
});

it('what exploration says is worth no more than what is hardly ever drawn', () => {
  // Of 200 drawn places one had something from all over the catalog, and nobody took that.
  const slates = Array.from({ length: 200 }, (_, number): ShownSlate => {
    const [items, propensity] = number === 0 ? [['i0', 'i9'], 1e-5] : [['i0', 'i1'], 0.4];
    return { unit: `u${number}`, items, engaged: [number % 2 === 1, number % 2 === 1], propensities: [0.5, propensity], exploredSlots: [1] };
  });
  const log: GenerationLog = { name: 'a', fromMs: 0, slates, organic: [] };
  const sums = sumGeneration({ log, indexOf: new Map(itemIds.map((item, index) => [item, index])), compared: () => true });
  expect(sums.exploredSampleSize).toBeLessThan(2);
  const known = sumGeneration({
    log: { ...log, slates: slates.slice(1) },
    indexOf: new Map([
      ['i0', 0],
      ['i1', 1],
    ]),
    compared: () => true,
  });
  expect(known.exploredSampleSize).toBeGreaterThan(90);
});

it('slates are as alike as what they share', () => {
  expect(jaccard(['a', 'b'], ['b', 'c'])).toBeCloseTo(1 / 3, 12);
  expect(jaccard(['a'], ['a'])).toBe(1);
  expect(jaccard([], [])).toBe(0);
});
