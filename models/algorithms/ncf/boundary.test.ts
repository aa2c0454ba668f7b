import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { disallowedScore } from '../../graph/recommend-interface.ts';
import { openRecommendGraph } from '../../graph/session.ts';
import { createRandom } from '../../random.ts';
import type { Interactions, ScoreRequest } from '../algorithm.ts';
import { ials } from '../ials/ials.ts';
import { interactionsOf } from '../testing-interactions.ts';
import { ncf } from './ncf.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const [kinds, twins] = [12, 8];
const itemCount = kinds * twins;
const candidates = 20;
const first = { algorithm: 'ials', params: { factors: 8, sweeps: 4 } };

/**
 * Things of one kind are had by the same people at the same times: the first stage tells them apart by rounding, and which of them are the last candidates is chance.
 * The ranker does tell them apart: of each kind, only the first are bought in the end.
 */
function twinsOfKinds(): Interactions {
  const random = createRandom(seed);
  const histories = Array.from({ length: 120 }, () => {
    const own = Array.from({ length: 3 }, () => random.below(kinds));
    const early = own.flatMap((kind) => Array.from({ length: twins }, (_, twin) => kind * twins + twin));
    return [...early, ...Array.from({ length: 8 }, () => random.below(kinds) * twins + random.below(2))];
  });
  const length = 3 * twins + 8;
  return interactionsOf(histories, itemCount, (entry) => 1_300_000_000_000 + (entry % length < 3 * twins ? 0 : entry % length) * 86_400_000);
}

const anyRequest: fc.Arbitrary<ScoreRequest> = fc
  .record({
    history: fc.array(fc.nat(itemCount - 1), { maxLength: 12 }),
    exclude: fc.array(fc.nat(itemCount), { maxLength: 60 }),
    outOfScope: fc.uniqueArray(fc.nat(itemCount - 1), { maxLength: itemCount }),
    count: fc.integer({ min: 1, max: itemCount }),
  })
  .map(({ outOfScope, ...request }) => {
    const scopeBias = new Float32Array(itemCount);
    for (const item of outOfScope) scopeBias[item] = disallowedScore;
    return { ...request, historyWeight: request.history.map(() => 1), scopeBias };
  });

test('whoever is the last candidate by rounding changes no answer, and what lies behind the candidates stays as the first stage has it', async () => {
  const interactions = twinsOfKinds();
  const params = ncf.params.parse({ first, candidates, hidden: [16], dimensions: 8, learningRate: 0.02, behindShare: 0.25, heldOutShare: 0, epochs: 30 });
  const model = await ncf.train({ interactions, params, seed });
  const alone = await ials.train({ interactions, params: ials.params.parse(first.params), seed });
  const graph = await openRecommendGraph({ ...model.exportGraph(), itemCount, maxHistory: model.maxHistory });
  onTestFinished(() => graph.close());
  let lifted = 0;
  await fc.assert(
    fc.asyncProperty(anyRequest, async (request) => {
      const mine = model.recommend(request);
      const theirs = await graph.recommend(request);
      const scale = Math.max(1e-9, ...mine.scores.map(Math.abs));
      const own = new Map(mine.items.map((item, place) => [item, mine.scores[place] as number]));
      expect(theirs.items).toHaveLength(mine.items.length);
      for (const [place, item] of theirs.items.entries()) {
        const score = theirs.scores[place] as number;
        for (const expected of [mine.scores[place] as number, own.get(item) ?? (mine.scores.at(-1) as number)])
          expect(Math.abs(score - expected) / scale).toBeLessThan(1e-4);
      }
      // Nothing that may not be answered takes a place among the candidates: the best that may are lifted, and no other.
      const allowed = alone.recommend({ ...request, count: itemCount });
      const all = model.recommend({ ...request, count: itemCount });
      const scores = new Map(all.items.map((item, place) => [item, all.scores[place] as number]));
      expect(all.items).toHaveLength(allowed.items.length);
      expect(all.items.slice(candidates)).toEqual(allowed.items.slice(candidates));
      for (const [place, item] of allowed.items.entries()) {
        const lift = (scores.get(item) as number) - (allowed.scores[place] as number);
        if (place >= candidates) expect(lift).toBe(0);
        else expect(lift).toBeGreaterThanOrEqual(0);
        lifted += lift > 0 ? 1 : 0;
      }
    }),
    { numRuns: 150 },
  );
  expect(lifted).toBeGreaterThan(1000);
});
