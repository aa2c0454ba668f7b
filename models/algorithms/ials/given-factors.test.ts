import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom } from '../../random.ts';
import { checkParity, makeParityRecord, mixedHistories } from '../../graph/parity.ts';
import { openRecommendGraph } from '../../graph/session.ts';
import type { Interactions } from '../algorithm.ts';
import { modelOverFactors } from './given-factors.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const settings = { alpha: 4, lambda: 0.5, frequencyScaling: 0, foldInSteps: 16 };

function someInteractions(itemCount: number): Interactions {
  const random = createRandom(seed);
  const [userCount, perUser] = [30, 5];
  return {
    userCount,
    itemCount,
    indptr: Uint32Array.from({ length: userCount + 1 }, (_, user) => user * perUser),
    items: Uint32Array.from({ length: userCount * perUser }, () => random.below(itemCount)),
    weights: new Float32Array(userCount * perUser).fill(1),
    atMs: new Float64Array(userCount * perUser),
  };
}

/** Numbers of a size as training leaves them. */
function someFactors(itemCount: number, dimensions: number, drawn: number): Float32Array {
  const random = createRandom(drawn);
  return Float32Array.from({ length: itemCount * dimensions }, () => random.float() - 0.4);
}

const model = (factors: Float32Array, dimensions: number, itemCount: number, change: Partial<typeof settings> = {}) =>
  modelOverFactors({ factors, dimensions, settings: { ...settings, ...change }, maxHistory: 20, interactions: someInteractions(itemCount), threads: 1 });

/** x of (Y'Y + lambda_row I + alpha sum r y y') x = alpha sum r y by elimination, and the scores y . x of all items. */
function solved(factors: Float32Array, d: number, history: readonly number[], { alpha, lambda, frequencyScaling }: typeof settings): number[] {
  const n = factors.length / d;
  const y = (item: number, f: number) => factors[item * d + f] as number;
  const row = lambda * (n + alpha * history.length) ** frequencyScaling;
  const rows = Array.from({ length: d }, (_, i) =>
    Array.from({ length: d + 1 }, (_, j) => {
      if (j === d) return alpha * history.reduce((sum, item) => sum + y(item, i), 0);
      let sum = i === j ? row : 0;
      for (let item = 0; item < n; item += 1) sum += y(item, i) * y(item, j);
      return history.reduce((total, item) => total + alpha * y(item, i) * y(item, j), sum);
    }),
  );
  for (let i = 0; i < d; i += 1)
    for (let k = 0; k < d; k += 1) {
      if (k === i) continue;
      const times = (rows[k]?.[i] as number) / (rows[i]?.[i] as number);
      for (let j = i; j <= d; j += 1) (rows[k] as number[])[j] = (rows[k]?.[j] as number) - times * (rows[i]?.[j] as number);
    }
  const x = rows.map((one, i) => (one[d] as number) / (one[i] as number));
  return Array.from({ length: n }, (_, item) => x.reduce((sum, value, f) => sum + value * y(item, f), 0));
}

test('a history is scored as the equations say, whatever the basis, the width and the scaling', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        dimensions: fc.integer({ min: 1, max: 11 }),
        itemCount: fc.integer({ min: 12, max: 40 }),
        drawn: fc.integer({ min: 1, max: 1e6 }),
        frequencyScaling: fc.constantFrom(0, 0.5, 1),
        history: fc.uniqueArray(fc.integer({ min: 0, max: 11 }), { minLength: 1, maxLength: 8 }),
      }),
      async ({ dimensions, itemCount, drawn, frequencyScaling, history }) => {
        const factors = someFactors(itemCount, dimensions, drawn);
        const made = await model(factors, dimensions, itemCount, { frequencyScaling });
        const { items, scores } = made.recommend({ history, historyWeight: history.map(() => 1), exclude: [], count: itemCount });
        const expected = solved(factors, dimensions, history, { ...settings, frequencyScaling });
        // The prior is up to 1e-6; the factors are single precision.
        for (const [place, item] of items.entries()) expect(Math.abs((scores[place] as number) - (expected[item] as number))).toBeLessThan(2e-5);
      },
    ),
    { seed, numRuns: 30 },
  );
});

test('the graph answers as the model does', async () => {
  const [itemCount, dimensions] = [50, 10];
  const interactions = someInteractions(itemCount);
  const made = await model(someFactors(itemCount, dimensions, seed), dimensions, itemCount);
  const histories = mixedHistories({ interactions, maxHistory: 20, seed, count: 10 });
  const graph = await openRecommendGraph({ ...made.exportGraph(), itemCount, maxHistory: 20 });
  try {
    const record = makeParityRecord({ model: made, itemCount, maxHistory: 20, seed, histories });
    expect(await checkParity({ graph, record })).toMatchObject({ passed: true });
  } finally {
    await graph.close();
  }
});

test.each([
  { what: 'another shape', factors: new Float32Array(30 * 3).fill(1), says: '90 numbers are not 30 items of 4 dimensions' },
  { what: 'no number', factors: new Float32Array(30 * 4).fill(1).fill(Number.NaN, 17, 18), says: 'of item 4 hold NaN' },
  { what: 'an infinity', factors: new Float32Array(30 * 4).fill(1).fill(Number.NEGATIVE_INFINITY, 119), says: 'of item 29 hold -Infinity' },
  { what: 'a number out of all bounds', factors: new Float32Array(30 * 4).fill(2e6), says: 'of item 0 hold 2000000' },
  { what: 'nothing but 0', factors: new Float32Array(30 * 4), says: 'all items are 0' },
])('refuses factors of $what', async ({ factors, says }) => {
  await expect(model(factors, 4, 30)).rejects.toMatchObject({ code: 'UND-ARTIFACT', message: expect.stringContaining(says) });
});
