import { expect, it } from 'vitest';
import { openRecommendGraph } from '../../graph/session.ts';
import type { Embeddings, Interactions } from '../algorithm.ts';
import { parseParams } from '../registry.ts';
import { embeddingKnn } from './embedding-knn.ts';

const nobody = (itemCount: number): Interactions => ({
  ...{ userCount: 1, itemCount, indptr: new Uint32Array(2), items: new Uint32Array(0), weights: new Float32Array(0), atMs: new Float64Array(0) },
});
const made = (embeddings: Embeddings, params: object = {}) =>
  embeddingKnn.train({
    interactions: nobody(embeddings.vectors.length / embeddings.dimensions),
    params: parseParams(embeddingKnn, params),
    seed: 1,
    embeddings,
  });

/** Item 3 has no vector; 4 is the opposite of 0. */
const vectors = Float32Array.of(1, 0, 0, 2, 3, 3, 0, 0, -5, 0);

it('scores by the weighted mean similarity, the older the less, by the measure of the set', async () => {
  const half = Math.SQRT1_2;
  const cosine = await made({ dimensions: 2, measure: 'cosine', vectors }, { decay: 0.5 });
  // Weights .5 * 1 and 1 * 2.
  const request = { history: [0, 1], historyWeight: [1, 2], exclude: [], count: 5 };
  const expected = [
    [1, 2 / 2.5],
    [2, (0.5 * half + 2 * half) / 2.5],
    [0, 0.5 / 2.5],
    [4, -0.5 / 2.5],
    [3, -2],
  ];
  const ranked = cosine.recommend(request);
  expect(ranked.items).toEqual(expected.map(([item]) => item));
  for (const [place, [, score]] of expected.entries()) expect(ranked.scores[place]).toBeCloseTo(score as number, 6);

  const dot = await made({ dimensions: 2, measure: 'dot', vectors }, { decay: 0.5 });
  expect(dot.recommend({ ...request, history: [0], historyWeight: [1] })).toMatchObject({ items: [2, 0, 1, 4, 3], scores: [3, 1, 0, -5, -50] });
});

it('an item without a vector scores lowest whatever the history, has no say in one, and the graph says the same', async () => {
  for (const measure of ['cosine', 'dot'] as const) {
    const model = await made({ dimensions: 2, measure, vectors });
    const graph = await openRecommendGraph({ ...model.exportGraph(), itemCount: 5, maxHistory: model.maxHistory });
    for (const history of [[0], [1], [4], [4, 3], [3, 2, 5, 0]]) {
      const request = { history, historyWeight: history.map((item) => (item === 5 ? 0 : 1)), exclude: [], count: 5 };
      const answers = [model.recommend(request), await graph.recommend(request)];
      for (const { items } of answers) expect(items.at(-1)).toBe(3);
      for (const [place, score] of (answers[0]?.scores ?? []).entries()) expect(answers[1]?.scores[place]).toBeCloseTo(score, 5);
    }
    const alone = { history: [3], historyWeight: [1], exclude: [], count: 5 };
    expect(model.recommend(alone)).toEqual(model.recommend({ ...alone, history: [], historyWeight: [] }));
    await graph.close();
  }
});

it('needs vectors, of its items', async () => {
  const input = { interactions: nobody(4), params: parseParams(embeddingKnn, {}), seed: 1 };
  await expect(embeddingKnn.train(input)).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('embeddings: { of:') });
  await expect(embeddingKnn.train({ ...input, embeddings: { dimensions: 2, measure: 'dot', vectors } })).rejects.toMatchObject({ code: 'UND-INPUT' });
});
