import { describe, expect, test } from 'vitest';
import type { RetrievalWay } from '../contracts/artifact.ts';
import { graphDigest } from '../graph/graph-files.ts';
import { graphWeights } from '../graph/graph-weights.ts';
import { checkParity, makeParityRecord, mixedHistories } from '../graph/parity.ts';
import { openRecommendGraph } from '../graph/session.ts';
import { createRandom } from '../random.ts';
import type { Algorithm, Interactions, Model } from './algorithm.ts';
import { algorithms, parseParams } from './registry.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const itemCount = 150;

/** What keeps training short; the rest of it is as everybody's. */
const quick: Record<string, unknown[]> = {
  ials: [{ factors: 12, sweeps: 3 }],
  'gf-cf': [{ factors: 20 }, { factors: 70, neighbours: 0 }],
  'embedding-knn': [{}, { decay: 0.5 }],
  sasrec: [{ dimensions: 16, epochs: 3, learningRate: 0.01, maxHistory: 20 }],
  'two-tower': [{ dimensions: 16, hidden: 16, epochs: 3, learningRate: 0.01, maxHistory: 20 }],
  ncf: [
    { first: { algorithm: 'ials', params: { factors: 12, sweeps: 3 } }, epochs: 3, behindShare: 0.4 },
    { first: { algorithm: 'ials', params: { factors: 12, sweeps: 3 } }, candidates: 40, epochs: 3, behindShare: 0.4, heldOutShare: 0 },
  ],
};

/** 100 of the 150 items are candidates, and the lists hold them all: so that each way answers what the trainer does. */
const ways: RetrievalWay[] = [
  { way: 'exact-8bit', rerank: 1 },
  { way: 'exact-4bit', rerank: 1 },
  { way: 'inverted-lists', cellItems: 9, probes: 100, seed: 1 },
];

function tastes(): Interactions {
  const random = createRandom(seed);
  const userCount = 120;
  const indptr = new Uint32Array(userCount + 1);
  const items: number[] = [];
  for (let user = 0; user < userCount; user += 1) {
    for (let entry = 2 + random.below(15); entry > 0; entry -= 1) items.push(Math.min(random.below(75), random.below(75)) * 2 + (user % 2));
    indptr[user + 1] = items.length;
  }
  return {
    ...{ userCount, itemCount, indptr, items: Uint32Array.from(items) },
    weights: Float32Array.from(items, () => 1 + random.below(3) / 2),
    atMs: Float64Array.from(items, (_, entry) => 1_300_000_000_000 + entry * 40_000_000),
  };
}

const interactions = tastes();
const products = (Object.values(algorithms) as Algorithm[]).filter(({ retrieval }) => retrieval === 'product');
const cases = products.flatMap((algorithm) => (quick[algorithm.name] ?? [{}]).map((params) => ({ name: algorithm.name, algorithm, params })));

async function train({ algorithm, params }: (typeof cases)[number]): Promise<Model> {
  const random = createRandom(seed + 1);
  const vectors = Float32Array.from({ length: itemCount * 6 }, () => 2 * random.float() - 1);
  return algorithm.train({ interactions, params: parseParams(algorithm, params), seed: 3, embeddings: { dimensions: 6, measure: 'cosine', vectors } });
}

test('models that score by a product say so', () => {
  expect(products.map(({ name }) => name)).toEqual(expect.arrayContaining(['ials', 'gf-cf', 'embedding-knn', 'sasrec', 'two-tower']));
});

/** @param exact digest of the plainest graph, which none of the others is */
async function expectWays(one: (typeof cases)[number], model: Model, of: RetrievalWay[], exact: string): Promise<void> {
  const histories = mixedHistories({ interactions, maxHistory: model.maxHistory, seed, count: 20 });
  const record = makeParityRecord({ model, itemCount, maxHistory: model.maxHistory, seed: 1, histories });
  for (const retrieval of of) {
    if (one.name === 'gf-cf' && retrieval.way === 'inverted-lists') {
      expect(() => model.exportGraph({ retrieval })).toThrow(expect.objectContaining({ code: 'UND-INPUT' }));
      continue;
    }
    const exported = model.exportGraph({ retrieval });
    expect(graphDigest(exported)).not.toBe(exact);
    expect(graphDigest(model.exportGraph({ retrieval }))).toBe(graphDigest(exported));
    const graph = await openRecommendGraph({ ...exported, itemCount, maxHistory: model.maxHistory });
    try {
      expect(await checkParity({ graph, record })).toMatchObject({ requests: 42, passed: true });
      const exclude = Array.from({ length: itemCount }, (_, item) => item);
      expect(await graph.recommend({ history: [1], historyWeight: [1], exclude, count: 10 })).toEqual({ items: [], scores: [] });
      expect((await graph.recommend({ history: [1], historyWeight: [1], exclude: [0], count: itemCount })).items).toHaveLength(itemCount - 1);
    } finally {
      await graph.close();
    }
  }
}

describe.each(cases)('$name with $params', (one) => {
  test('answers as its trainer does, whichever way its graph finds the best; or says that the way is none for it', async () => {
    const model = await train(one);
    const exact = graphDigest(model.exportGraph());
    expect(graphDigest(model.exportGraph({ retrieval: { way: 'exact' } }))).toBe(exact);
    await expectWays(one, model, ways, exact);
  });

  test('answers over items of 8 bits as its trainer does over the same, and says that no float32 is there', async () => {
    const model = await train(one);
    const rounded = model.rounded?.() as Model;
    expect(() => rounded.exportGraph({ retrieval: { way: 'exact' } })).toThrow(expect.objectContaining({ code: 'UND-INPUT' }));
    await expectWays(one, rounded, [{ way: 'exact-8bit', rerank: 2 }, ...ways], graphDigest(model.exportGraph()));
    const held = (of: Model) =>
      graphWeights(of.exportGraph().bytes).flatMap(({ name, type }) => (/^item_(vectors|factors)/.test(name) ? [`${type} ${name}`] : []));
    expect(held(model)).toEqual([expect.stringMatching(/^float32 item_(vectors|factors)$/)]);
    expect(held(rounded)).toEqual([expect.stringMatching(/^uint8 item_\w+_codes$/), expect.stringMatching(/^float32 item_\w+_scales$/)]);
  });
});
