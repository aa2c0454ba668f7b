import { graphDigest } from '../../graph/graph-files.ts';
import { expect, test } from 'vitest';
import { openRecommendGraph } from '../../graph/session.ts';
import { createRandom } from '../../random.ts';
import type { Algorithm, Interactions, Model } from '../algorithm.ts';
import { edges, interactionsOf, ring, walks } from '../testing-interactions.ts';
import { ials } from '../ials/ials.ts';
import { popularity } from '../popularity/popularity.ts';
import { sasrec } from './sasrec.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);

/** How often what comes next is answered first. */
function hitsOf(model: Model): number {
  const tests = walks(200, seed + 1);
  const hits = tests.filter((walk) => {
    const history = walk.slice(0, -1);
    return model.recommend({ history, historyWeight: history.map(() => 1), exclude: [], count: 1 }).items[0] === walk.at(-1);
  });
  return hits.length / tests.length;
}

const train = <P>(algorithm: Algorithm<P>, interactions: Interactions, params: object = {}) =>
  algorithm.train({ interactions, params: algorithm.params.parse(params), seed: seed + 2 });
const small = { dimensions: 16, learningRate: 0.01, dropout: 0.1, epochs: 60 };

test.each(['softmax', 'sampled-softmax', 'gbce'])('by %s it learns what only the order tells, which others cannot', async (loss) => {
  const interactions = interactionsOf(walks(400, seed), ring);
  // gbce stands on a plateau for up to twenty of these epochs of eight steps.
  const model = await train(sasrec, interactions, { ...small, loss, negatives: 16, patience: small.epochs });
  expect(hitsOf(model)).toBeGreaterThan(0.9);
  expect(hitsOf(await train(ials, interactions, { factors: 16 }))).toBeLessThan(0.6);
  expect(hitsOf(await train(popularity, interactions))).toBeLessThan(0.3);
});

test('is the same to the bit for any number of threads', async () => {
  const interactions = interactionsOf(walks(100, seed), ring);
  const params = sasrec.params.parse({ ...small, epochs: 3 });
  const graphs = [1, 2, 3].map(async (threads) => graphDigest((await sasrec.train({ interactions, params, seed }, { threads })).exportGraph()));
  const [one, ...others] = await Promise.all(graphs);
  for (const other of others) expect(other).toBe(one);
});

test('products and sums in one rounding learn the same, and are the same for any number of threads', async () => {
  const interactions = interactionsOf(walks(400, seed), ring);
  expect(hitsOf(await train(sasrec, interactions, { ...small, arithmetic: 'fused' }))).toBeGreaterThan(0.9);
  const params = sasrec.params.parse({ ...small, epochs: 3, arithmetic: 'fused' });
  const [one, two] = await Promise.all(
    [1, 2].map(async (threads) => graphDigest((await sasrec.train({ interactions, params, seed }, { threads })).exportGraph())),
  );
  expect(two).toBe(one);
});

test('what happens at the same time has no order', async () => {
  // Baskets of three, always listed by number, of which the next basket is another third of the items.
  const random = createRandom(seed);
  const histories = Array.from({ length: 300 }, () => {
    const first = random.below(3);
    return [0, 1, 2].flatMap((step) => Array.from({ length: 3 }, () => ((first + step) % 3) * 8 + random.below(8)).sort((a, b) => a - b));
  });
  const model = await train(
    sasrec,
    interactionsOf(histories, 24, (entry) => Math.floor(entry / 3) * 1000),
    small,
  );
  // The last of a basket has the highest number; if order within it were learned, what comes next would be low.
  const score = (history: number[]) => {
    const { items, scores } = model.recommend({ history, historyWeight: history.map(() => 1), exclude: [], count: 24 });
    return (item: number) => scores[items.indexOf(item)] as number;
  };
  const [rising, falling] = [score([1, 4, 6]), score([6, 4, 1])];
  const differences = Array.from({ length: 24 }, (_, item) => Math.abs(rising(item) - falling(item)));
  expect(Math.max(...differences)).toBeLessThan(2);
});

test('stops where it diverges, says at which step and what to try, and there is no model', async () => {
  const interactions = interactionsOf(walks(100, seed), ring);
  const steps: number[] = [];
  const training = sasrec.train(
    { interactions, params: sasrec.params.parse({ ...small, learningRate: 1e6 }), seed },
    { onStep: ({ done }) => void steps.push(done) },
  );
  await expect(training).rejects.toMatchObject({ code: 'UND-TRAINING-DIVERGED', message: expect.stringMatching(/step \d+ .*try 100000/) });
});

test.each(edges)('takes $what', async ({ histories, itemCount }) => {
  for (const loss of ['softmax', 'gbce']) {
    const model = await train(sasrec, interactionsOf(histories, itemCount), { ...small, epochs: 2, loss });
    const graph = await openRecommendGraph({ ...model.exportGraph(), itemCount, maxHistory: model.maxHistory });
    for (const history of [[], [0], (histories[0] as number[]).slice(-200)]) {
      const request = { history, historyWeight: history.map(() => 1), exclude: [], count: itemCount };
      const [mine, theirs] = [model.recommend(request), await graph.recommend(request)];
      expect(mine.items).toHaveLength(itemCount);
      for (const [place, score] of mine.scores.entries())
        expect(Math.abs((theirs.scores[place] as number) - score)).toBeLessThan(1e-4 * Math.max(1, Math.abs(score)));
    }
    await graph.close();
  }
});

test('stops when what is held out gets no better, with the weights of the best look', async () => {
  // Nothing to learn but how popular items are.
  const random = createRandom(seed);
  const histories = Array.from({ length: 300 }, () => Array.from({ length: 8 }, () => Math.min(random.below(30), random.below(30))));
  const scores: number[] = [];
  let last = { done: 0, total: 0 };
  const onStep = ({ done, total, note }: { done: number; total: number; note: string }) => {
    last = { done, total };
    const score = /held out ([0-9.]+)/.exec(note)?.[1];
    if (score !== undefined) scores.push(Number(score));
  };
  await sasrec.train({ interactions: interactionsOf(histories, 30), params: sasrec.params.parse({ ...small, epochs: 300, patience: 3 }), seed }, { onStep });
  expect(last.done).toBeLessThan(last.total);
  expect(scores.length - 1 - scores.lastIndexOf(Math.max(...scores))).toBe(3);
});

test('does not grow from step to step', async () => {
  const interactions = interactionsOf(walks(120, seed), ring);
  const bytes: number[] = [];
  const params = sasrec.params.parse({ ...small, epochs: 130, heldOutShare: 0, batchEntries: 256 });
  await sasrec.train({ interactions, params, seed }, { onStep: ({ done }) => void (done % 100 === 0 && bytes.push(process.memoryUsage().arrayBuffers)) });
  expect(bytes.length).toBeGreaterThan(5);
  expect((bytes.at(-1) as number) - (bytes[0] as number)).toBeLessThan(1e6);
});

test('refuses a catalog that no graph holds, saying what one would', async () => {
  const interactions = interactionsOf([[0, 1]], 9_000_000);
  await expect(train(sasrec, interactions)).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('at most 8323071 items') });
});
