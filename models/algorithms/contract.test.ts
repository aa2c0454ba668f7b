import { graphDigest } from '../graph/graph-files.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkParity, makeParityRecord } from '../graph/parity.ts';
import { disallowedScore } from '../graph/recommend-interface.ts';
import { openRecommendGraph, type RecommendGraph } from '../graph/session.ts';
import { createRandom } from '../random.ts';
import type { Algorithm, Embeddings, Interactions, ItemAttributes, Model, Ranked, ScoreRequest } from './algorithm.ts';
import { algorithmNamed, algorithms, parseParams } from './registry.ts';

const itemCount = 60;
const coldItem = 59; // nobody ever touched it

const smallParams: Record<string, unknown[]> = {
  popularity: [{}, { halfLifeDays: 3 }],
  'item-knn': [{ neighbours: 12 }, { neighbours: 200, shrink: 0, rows: 'confidence', selfSimilarity: 1, maxHistory: 7 }],
  ials: [
    { factors: 8, sweeps: 3 },
    { factors: 10, sweeps: 2, frequencyScaling: 0, lambda: 5, alpha: 40, foldInSteps: 3, maxHistory: 7 },
  ],
  'gf-cf': [
    { factors: 12 },
    { factors: 600, response: 0, neighbours: 0, rows: 'confidence', rounds: 2, maxHistory: 7 },
    { factors: 4, response: 0.5, neighbours: 5, neighbourWeight: 3 },
  ],
  ease: [{}, { lambda: 0.5, neighbours: 5, rows: 'confidence', maxHistory: 7 }],
  'session-knn': [{ gapMs: 100_000_000 }, { sample: 9, neighbours: 4, maxItems: 9, idf: false, gapMs: 50_000_000, maxSessionItems: 8 }],
  'embedding-knn': [{}, { decay: 0.2, maxHistory: 7 }, { decay: 1 }],
  sasrec: [
    { dimensions: 16, epochs: 12, learningRate: 0.01, maxHistory: 20 },
    { dimensions: 8, blocks: 1, heads: 1, epochs: 6, learningRate: 0.01, maxHistory: 7, loss: 'gbce', negatives: 16 },
    { dimensions: 16, epochs: 6, learningRate: 0.01, dropout: 0, loss: 'sampled-softmax', negatives: 16, heldOutShare: 0.5, batchEntries: 64 },
  ],
  'two-tower': [
    { dimensions: 16, epochs: 12, learningRate: 0.01, maxHistory: 20 },
    { dimensions: 8, hidden: 8, decays: [0], dropout: 0, epochs: 6, learningRate: 0.01, maxHistory: 7, negatives: 16, heldOutShare: 0.5, batchEntries: 64 },
  ],
  ncf: [
    { first: { algorithm: 'ials', params: { factors: 8, sweeps: 3 } }, hidden: [16], dimensions: 8, epochs: 2, learningRate: 0.01, behindShare: 0.4 },
    {
      first: { algorithm: 'two-tower', params: { dimensions: 8, hidden: 8, epochs: 2, learningRate: 0.01, maxHistory: 7, negatives: 16 } },
      ...{ candidates: 20, hidden: [16, 8], dimensions: 8, epochs: 2, learningRate: 0.01, behindShare: 0.4, distil: { hidden: [8] } },
    },
  ],
};

/** Two tastes: even users like the first half of the items, odd users the second. Items come up again; some users have none. */
function interactionsOf(seed: number): Interactions {
  const random = createRandom(seed);
  const userCount = 50;
  const indptr = new Uint32Array(userCount + 1);
  const items: number[] = [];
  for (let user = 0; user < userCount; user += 1) {
    const length = user % 10 === 7 ? 0 : 1 + random.below(15);
    for (let entry = 0; entry < length; entry += 1) items.push(Math.min(random.below(30), random.below(30)) + (user % 2) * 29);
    indptr[user + 1] = items.length;
  }
  return {
    userCount,
    itemCount,
    indptr,
    items: Uint32Array.from(items),
    weights: Float32Array.from(items, () => 1 + random.below(3) / 2),
    atMs: Float64Array.from(items, (_, entry) => 1_300_000_000_000 + entry * 40_000_000),
  };
}

const interactions = interactionsOf(5);

/** Vectors for the algorithms that are given some: the cold item has none. */
function embeddingsOf(items: number): Embeddings {
  const random = createRandom(11);
  const vectors = Float32Array.from({ length: items * 6 }, (_, place) => (Math.floor(place / 6) === coldItem ? 0 : 2 * random.float() - 1));
  return { dimensions: 6, measure: 'cosine', vectors };
}
const embeddings = embeddingsOf(itemCount);

/** Every third item's taste, and something that all but the cold one have. */
const attributes: ItemAttributes = (() => {
  const own = Array.from({ length: itemCount }, (_, item) => [...(item % 3 === 0 ? [item < 30 ? 0 : 1] : []), ...(item === coldItem ? [] : [2 + (item % 4)])]);
  const indptr = Uint32Array.from({ length: itemCount + 1 }, (_, item) => own.slice(0, item).flat().length);
  return { indptr, attributes: Uint32Array.from(own.flat()), fields: ['taste', 'other'], fieldOf: Uint8Array.of(0, 0, 1, 1, 1, 1) };
})();

async function trained(algorithm: Algorithm, params: unknown, seed = 3): Promise<Model> {
  return algorithm.train({ interactions, params: parseParams(algorithm, params), seed, embeddings, attributes });
}

async function withGraph<T>(model: Model, use: (graph: RecommendGraph) => Promise<T>): Promise<T> {
  const graph = await openRecommendGraph({ ...model.exportGraph(), itemCount, maxHistory: model.maxHistory });
  try {
    return await use(graph);
  } finally {
    await graph.close();
  }
}

/** Histories may hold padding, which by the graph's interface weighs nothing. */
const anyRequest: fc.Arbitrary<ScoreRequest> = fc
  .record({
    entries: fc.array(fc.record({ item: fc.nat(itemCount), weight: fc.double({ min: 0, max: 20, noNaN: true }) }), { maxLength: 25 }),
    exclude: fc.array(fc.nat(itemCount), { maxLength: 80 }),
    outOfScope: fc.option(fc.uniqueArray(fc.nat(itemCount - 1), { maxLength: itemCount })),
    count: fc.integer({ min: 1, max: itemCount + 5 }),
  })
  .map(({ entries, exclude, outOfScope, count }) => {
    const scopeBias = outOfScope === null ? undefined : new Float32Array(itemCount);
    for (const item of outOfScope ?? []) if (scopeBias) scopeBias[item] = disallowedScore;
    return {
      history: entries.map(({ item }) => item),
      historyWeight: entries.map(({ item, weight }) => (item === itemCount ? 0 : weight)),
      exclude,
      scopeBias,
      count,
    };
  });

function expectAllowed(answer: Ranked, request: ScoreRequest): void {
  const disallowed = new Set(request.exclude);
  for (const [item, bias] of (request.scopeBias ?? []).entries()) if (bias < 0) disallowed.add(item);
  const allowed = Array.from({ length: itemCount }, (_, item) => item).filter((item) => !disallowed.has(item));
  expect(answer.items).toHaveLength(Math.min(request.count, allowed.length));
  expect(new Set(answer.items).size).toBe(answer.items.length);
  for (const item of answer.items) expect(disallowed.has(item)).toBe(false);
  for (const [position, score] of answer.scores.entries()) {
    expect(Number.isFinite(score)).toBe(true);
    if (position > 0) {
      const before = answer.scores[position - 1] as number;
      expect(before > score || (before === score && (answer.items[position - 1] as number) < (answer.items[position] as number))).toBe(true);
    }
  }
}

const cases = Object.entries(algorithms).flatMap(([name, algorithm]) =>
  (smallParams[name] ?? [{}]).map((params) => ({ name, algorithm: algorithm as Algorithm, params })),
);

test.each(Object.entries(algorithms))('%s is registered under its own name', (name, algorithm) => {
  expect(algorithm.name).toBe(name);
  expect(algorithmNamed(name)).toBe(algorithm);
});

describe.each(cases)('$name with $params', ({ algorithm, params }) => {
  test('gives the same bytes for the same seed', async () => {
    const first = graphDigest((await trained(algorithm, params)).exportGraph());
    const second = graphDigest((await trained(algorithm, params)).exportGraph());
    expect(second).toBe(first);
  });

  test('goes on from any checkpoint to the same bytes', async () => {
    const checkpoints: Uint8Array[] = [];
    const input = { interactions, params: parseParams(algorithm, params), seed: 3, embeddings, attributes };
    const whole = await algorithm.train(input, { onStep: async ({ checkpoint }) => void checkpoints.push(await checkpoint()) });
    expect(checkpoints.length).toBeGreaterThan(0);
    for (const resumeFrom of checkpoints) {
      const resumed = await algorithm.train(input, { resumeFrom });
      expect(graphDigest(resumed.exportGraph())).toBe(graphDigest(whole.exportGraph()));
    }
    const resumeFrom = checkpoints[0] as Uint8Array;
    await expect(algorithm.train({ ...input, seed: 4 }, { resumeFrom })).rejects.toMatchObject({ code: 'UND-INPUT' });
    await expect(algorithm.train(input, { resumeFrom: resumeFrom.slice(0, -1) })).rejects.toMatchObject({ code: 'UND-DIGEST' });
    await expect(algorithm.train(input, { resumeFrom: new Uint8Array(2) })).rejects.toMatchObject({ code: 'UND-DIGEST' });
  });

  test('stops where a step throws', async () => {
    const input = { interactions, params: parseParams(algorithm, params), seed: 3, embeddings, attributes };
    const onStep = (): void => {
      throw new Error('cancelled');
    };
    await expect(algorithm.train(input, { onStep })).rejects.toThrow('cancelled');
  });

  test('the graph answers any request as the trainer does, and nothing that is not allowed', async () => {
    const model = await trained(algorithm, params);
    const rounded = model.rounded?.();
    expect(rounded === undefined).toBe(algorithm.retrieval !== 'product');
    for (const one of rounded === undefined ? [model] : [model, rounded])
      await withGraph(one, async (graph) => {
        await fc.assert(
          fc.asyncProperty(anyRequest, async (request) => {
            const mine = one.recommend(request);
            const theirs = await graph.recommend(request);
            expectAllowed(mine, request);
            expectAllowed(theirs, request);
            for (const [position, score] of mine.scores.entries()) {
              expect(Math.abs((theirs.scores[position] as number) - score) / Math.max(1, Math.abs(score))).toBeLessThan(1e-4);
            }
          }),
          { numRuns: 150 },
        );
      });
  });

  test('is told from a graph that orders what it answers to strangers wrongly', async () => {
    const model = await trained(algorithm, params);
    const record = makeParityRecord({ model, itemCount, maxHistory: model.maxHistory, seed: 1, histories: [] });
    const [stranger] = record.requests;
    if (stranger === undefined) throw new Error('no request');
    // Scores that differ too little to be told from rounding are no order.
    const spread = (stranger.scores[0] ?? 0) - (stranger.scores.at(-1) ?? 0);
    expect(spread).toBeGreaterThan(0);
    const answer = { items: stranger.items.toReversed(), scores: [...stranger.scores] };
    const backwards = { itemCount, maxHistory: model.maxHistory, recommend: async () => answer, close: async () => undefined };
    const checked = await checkParity({ graph: backwards, record: { ...record, requests: [stranger] } });
    expect(checked.passed).toBe(false);
  });

  test('reproduces its parity record', async () => {
    const model = await trained(algorithm, params);
    const histories = [
      { history: [1, 2, 3, 2], historyWeight: [1, 1, 2, 1] },
      { history: Array.from({ length: 40 }, (_, index) => index), historyWeight: Array(40).fill(1) },
    ];
    const record = makeParityRecord({ model, itemCount, maxHistory: model.maxHistory, seed: 1, histories });
    expect(record.requests).toHaveLength(6);
    await withGraph(model, async (graph) => {
      const result = await checkParity({ graph, record });
      expect(result).toMatchObject({ requests: 6, passed: true });
      expect(result.largestError).toBeLessThan(1e-5);
      const tampered = structuredClone(record);
      const third = tampered.requests[2] as (typeof tampered.requests)[number];
      third.scores = third.scores.map((score) => score + 0.01);
      expect(await checkParity({ graph, record: tampered })).toMatchObject({ passed: false, firstDifference: { request: 2 } });
    });
  });

  test('an empty history and a cold item give finite scores', async () => {
    const model = await trained(algorithm, params);
    await withGraph(model, async (graph) => {
      for (const history of [[], [coldItem], [itemCount]]) {
        const request = { history, historyWeight: history.map(() => 1), exclude: [], count: itemCount };
        expectAllowed(model.recommend(request), request);
        expectAllowed(await graph.recommend(request), request);
      }
      // Without a history the popular come first, not the low numbers.
      const counts = new Map<number, number>();
      for (const item of interactions.items) counts.set(item, (counts.get(item) ?? 0) + 1);
      const { items } = await graph.recommend({ history: [], historyWeight: [], exclude: [], count: 5 });
      for (const item of items) expect(counts.get(item) ?? 0).toBeGreaterThan(3);
    });
  });

  test('answers nothing where everything is excluded or out of scope', async () => {
    const model = await trained(algorithm, params);
    const everything = Array.from({ length: itemCount }, (_, item) => item);
    const nothing = { items: [], scores: [] };
    await withGraph(model, async (graph) => {
      const excluded = { history: [1], historyWeight: [1], exclude: everything, count: 10 };
      const outOfScope = { history: [1], historyWeight: [1], exclude: [], scopeBias: new Float32Array(itemCount).fill(disallowedScore), count: 10 };
      for (const request of [excluded, outOfScope, { ...outOfScope, exclude: everything }]) {
        expect(model.recommend(request)).toEqual(nothing);
        expect(await graph.recommend(request)).toEqual(nothing);
      }
    });
  });

  test('trains where nobody did anything', async () => {
    const empty: Interactions = {
      userCount: 2,
      itemCount: 3,
      indptr: new Uint32Array(3),
      items: new Uint32Array(0),
      weights: new Float32Array(0),
      atMs: new Float64Array(0),
    };
    const model = await algorithm.train({ interactions: empty, params: parseParams(algorithm, params), seed: 1, embeddings: embeddingsOf(3) });
    const graph = await openRecommendGraph({ ...model.exportGraph(), itemCount: 3, maxHistory: model.maxHistory });
    const request = { history: [2], historyWeight: [1], exclude: [], count: 3 };
    expect((await graph.recommend(request)).items).toHaveLength(3);
    expect(model.recommend(request).items).toHaveLength(3);
    await graph.close();
  });
});

test('refuses parameters, naming every mistake', () => {
  const refusal = (name: string, params: unknown): readonly { path: string }[] => {
    try {
      parseParams(algorithmNamed(name), params);
    } catch (error) {
      expect(error).toMatchObject({ code: 'UND-INPUT' });
      return (error as { mistakes: { path: string }[] }).mistakes;
    }
    return [];
  };
  const paths = (name: string, params: unknown): string[] =>
    refusal(name, params)
      .map(({ path }) => path)
      .sort();
  expect(paths('ials', { factors: -1, sweeps: 2.5, lambda: 'much' })).toEqual(['/factors', '/lambda', '/sweeps']);
  expect(paths('item-knn', { neighbours: 0, shrink: -1, surprise: 1 })).toEqual(['/neighbours', '/shrink', '/surprise']);
  expect(paths('popularity', { halfLifeDays: 0 })).toEqual(['/halfLifeDays']);
  for (const name of Object.keys(algorithms)) expect(refusal(name, {})).toEqual([]);
});

test('names the models there are when asked for another', () => {
  for (const name of ['als', 'toString', '__proto__']) expect(() => algorithmNamed(name)).toThrow(/popularity, item-knn, ials/);
});
