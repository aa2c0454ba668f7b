import { graphDigest } from '../../graph/graph-files.ts';
import { expect, test } from 'vitest';
import { openRecommendGraph } from '../../graph/session.ts';
import { createRandom } from '../../random.ts';
import type { Interactions, ItemAttributes, Model } from '../algorithm.ts';
import { edges, interactionsOf, ring, walks } from '../testing-interactions.ts';
import { twoTower } from './two-tower.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const small = { dimensions: 16, hidden: 32, learningRate: 0.01, negatives: 64 };

const train = (interactions: Interactions, params: object = {}, attributes?: ItemAttributes) =>
  twoTower.train({ interactions, params: twoTower.params.parse({ ...small, ...params }), seed, attributes });
const requestOf = (history: readonly number[], count: number, exclude: readonly number[] = []) => ({
  ...{ history, historyWeight: history.map(() => 1), exclude, count },
});

/** The attributes of each item, all of one field. */
function attributesOf(values: readonly (readonly number[])[]): ItemAttributes {
  const indptr = new Uint32Array(values.length + 1);
  for (const [item, own] of values.entries()) indptr[item + 1] = (indptr[item] as number) + own.length;
  const attributes = Uint32Array.from(values.flat());
  return { indptr, attributes, fields: ['category'], fieldOf: new Uint8Array(1 + Math.max(-1, ...attributes)) };
}

test('what the entries before it tell, the later ones more, is learned', async () => {
  const model = await train(interactionsOf(walks(400, seed), ring), { decays: [0, 0.5], epochs: 60, patience: 60 });
  const tests = walks(200, seed + 1);
  const hits = tests.filter((walk) => model.recommend(requestOf(walk.slice(0, -1), 1)).items[0] === walk.at(-1));
  expect(hits.length / tests.length).toBeGreaterThan(0.9);
});

const [tastes, perTaste] = [5, 24];
const itemCount = tastes * perTaste;
/** Of each taste two items that nobody has touched. */
const isCold = (item: number): boolean => item >= (perTaste - 2) * tastes;
const tasteOf = (item: number): number => item % tastes;

/** People who keep to one taste nine times of ten. What an item is of, its number tells. */
function tasteful(drawnBy: number): Interactions {
  const random = createRandom(drawnBy);
  const histories = Array.from({ length: 400 }, (_, user) =>
    Array.from({ length: 5 + random.below(10) }, () => {
      const taste = random.float() < 0.9 ? user % tastes : random.below(tastes);
      return taste + tastes * Math.min(random.below(perTaste - 2), random.below(perTaste - 2));
    }),
  );
  const everything = Array.from({ length: itemCount }, (_, item) => item).filter((item) => !isCold(item));
  return interactionsOf([everything, ...histories], itemCount);
}

/** How often the cold items that are answered before all other cold ones are of the history's taste: one in five by chance. */
function coldHits(model: Model): number {
  const random = createRandom(seed + 2);
  const warm = Array.from({ length: itemCount }, (_, item) => item).filter((item) => !isCold(item));
  let hits = 0;
  for (let user = 0; user < 100; user += 1) {
    const taste = user % tastes;
    const history = Array.from({ length: 5 }, () => taste + tastes * random.below(perTaste - 2));
    hits += model.recommend(requestOf(history, 2, warm)).items.filter((item) => tasteOf(item) === taste).length;
  }
  return hits / 200;
}

test('an item without events is known by what it shares with others, and not without that', async () => {
  const interactions = tasteful(seed);
  // What it says of taste stands among what says nothing.
  const random = createRandom(seed + 1);
  const attributes = attributesOf(Array.from({ length: itemCount }, (_, item) => [tasteOf(item), tastes + random.below(8)].sort((a, b) => a - b)));
  const told = await train(interactions, { epochs: 30 }, attributes);
  expect(coldHits(told)).toBeGreaterThan(0.85);
  expect(coldHits(await train(interactions, { epochs: 30 }))).toBeLessThan(0.5);
  // Those of the taste come before most of what is not of it, events or none.
  const history = [0, 1, 2, 3].map((place) => place * tastes);
  const places = told.recommend(requestOf(history, itemCount)).items.flatMap((item, place) => (isCold(item) && tasteOf(item) === 0 ? [place] : []));
  for (const place of places) expect(place).toBeLessThan(itemCount / 2);
});

test('an item of which nothing is known comes last, has no say in a history, and no vector', async () => {
  const interactions = tasteful(seed);
  // The last item's attribute is nobody's who has events.
  const attributes = attributesOf(Array.from({ length: itemCount }, (_, item) => (isCold(item) ? (item === itemCount - 1 ? [tastes] : []) : [tasteOf(item)])));
  const cold = Array.from({ length: itemCount }, (_, item) => item).filter(isCold);
  for (const model of [await train(interactions, { epochs: 3 }, attributes), await train(interactions, { epochs: 3 })]) {
    const answer = model.recommend(requestOf([1, 6], itemCount));
    expect(answer.items.slice(-cold.length)).toEqual(cold);
    expect(model.recommend(requestOf([1, cold[0] as number, 6, itemCount - 1], itemCount))).toEqual(answer);
    const { vectors = new Float32Array(0), dimensions = 0, measure } = model.embeddings?.() ?? {};
    expect(measure).toBe('dot');
    expect(vectors).toHaveLength(itemCount * dimensions);
    for (let item = 0; item < itemCount; item += 1)
      expect(vectors.subarray(item * dimensions, (item + 1) * dimensions).some((value) => value !== 0)).toBe(!isCold(item));
  }
});

test('being popular makes no item a worse answer: without a history, scores are as far apart as the logarithms of shares', async () => {
  const random = createRandom(seed);
  // Nothing to learn but how popular items are: from 1 to 1 in 30.
  const histories = Array.from({ length: 600 }, () => Array.from({ length: 10 }, () => Math.floor(30 * random.float() ** 2)));
  const model = await train(interactionsOf(histories, 30), { epochs: 40, dropout: 0 });
  const counts = new Float64Array(30);
  for (const item of histories.flat()) counts[item] = (counts[item] as number) + 1;
  const { items, scores } = model.recommend(requestOf([], 30));
  const logs = items.map((item) => Math.log(counts[item] as number));
  const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const awayFrom = (values: readonly number[]) => values.map((value) => value - mean(values));
  const from = awayFrom(logs);
  // Uncorrected they would be flat, and the slope 0; twelve seeds gave slopes of .98 to 1.09.
  const slope = mean(awayFrom(scores).map((score, place) => score * (from[place] as number))) / mean(from.map((log) => log ** 2));
  expect(slope).toBeGreaterThan(0.8);
  expect(slope).toBeLessThan(1.25);
  expect(items[0]).toBe(0);
});

test('stops where it diverges, says at which step and what to try, and there is no model', async () => {
  await expect(train(interactionsOf(walks(100, seed), ring), { learningRate: 1e6 })).rejects.toMatchObject({
    code: 'UND-TRAINING-DIVERGED',
    message: expect.stringMatching(/step \d+ .*try 100000|no finite number.*try 100000/),
  });
});

test.each(edges)('takes $what', async ({ histories, itemCount: items }) => {
  for (const attributes of [undefined, attributesOf(Array.from({ length: items }, (_, item) => (item % 2 === 0 ? [] : [item % 3])))]) {
    const model = await train(interactionsOf(histories, items), { epochs: 2 }, attributes);
    const graph = await openRecommendGraph({ ...model.exportGraph(), itemCount: items, maxHistory: model.maxHistory });
    for (const history of [[], [0], (histories[0] as number[]).slice(-200)]) {
      const [mine, theirs] = [model.recommend(requestOf(history, items)), await graph.recommend(requestOf(history, items))];
      expect(mine.items).toHaveLength(items);
      for (const [place, score] of mine.scores.entries())
        expect(Math.abs((theirs.scores[place] as number) - score)).toBeLessThan(1e-4 * Math.max(1, Math.abs(score)));
    }
    await graph.close();
  }
});

test('goes on from a checkpoint with the attributes it began with, and no others', async () => {
  const interactions = tasteful(seed);
  const params = twoTower.params.parse({ ...small, epochs: 2 });
  const attributes = attributesOf(Array.from({ length: itemCount }, (_, item) => [tasteOf(item)]));
  const checkpoints: Uint8Array[] = [];
  const input = { interactions, params, seed, attributes };
  const whole = await twoTower.train(input, { onStep: async ({ checkpoint }) => void checkpoints.push(await checkpoint()) });
  const resumeFrom = checkpoints[5] as Uint8Array;
  expect(graphDigest((await twoTower.train(input, { resumeFrom })).exportGraph())).toBe(graphDigest(whole.exportGraph()));
  const others = attributesOf(Array.from({ length: itemCount }, (_, item) => [tasteOf(item + 1)]));
  for (const other of [others, undefined])
    await expect(twoTower.train({ ...input, attributes: other }, { resumeFrom })).rejects.toMatchObject({ code: 'UND-INPUT' });
});

test('does not grow from step to step', async () => {
  const bytes: number[] = [];
  const params = twoTower.params.parse({ ...small, epochs: 130, heldOutShare: 0, batchEntries: 256 });
  const onStep = ({ done }: { done: number }) => void (done % 100 === 0 && bytes.push(process.memoryUsage().arrayBuffers));
  await twoTower.train({ interactions: interactionsOf(walks(120, seed), ring), params, seed }, { onStep });
  expect(bytes.length).toBeGreaterThan(5);
  expect((bytes.at(-1) as number) - (bytes[0] as number)).toBeLessThan(1e6);
});

test('refuses a catalog that no graph holds, saying what one would, and attributes of another catalog', async () => {
  const message = expect.stringContaining('at most 8323071 items');
  await expect(train(interactionsOf([[0, 1]], 9_000_000), { dimensions: 64 })).rejects.toMatchObject({ code: 'UND-INPUT', message });
  await expect(train(interactionsOf([[0, 1]], 2), {}, attributesOf([[0]]))).rejects.toMatchObject({ code: 'UND-INPUT' });
});
