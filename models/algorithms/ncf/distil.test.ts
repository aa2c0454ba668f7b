import { graphSize } from '../../graph/graph-files.ts';
import { expect, test } from 'vitest';
import { createRandom } from '../../random.ts';
import { interactionsOf } from '../testing-interactions.ts';
import { ncf } from './ncf.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const [itemCount, users, days, tastes] = [300, 200, 14, 6];

/** Each buys within a taste; what was bought is mostly bought again, one of one's first four things more often than any other. */
function loyalWorld() {
  const random = createRandom(seed);
  const histories = Array.from({ length: users }, (_, user) => {
    const own: number[] = [];
    for (let day = 0; day < days; day += 1) {
      const isAgain = own.length >= 4 && random.float() < 0.85;
      own.push(isAgain ? (own[random.below(4)] as number) : tastes * random.below(itemCount / tastes) + (user % tastes));
    }
    return own;
  });
  return interactionsOf(histories, itemCount, (entry) => 1_300_000_000_000 + (entry % days) * 86_400_000 + entry);
}

test('a small ranker answers nearly as the heavy one that taught it, and what that costs is told of users that neither was trained on', async () => {
  const params = {
    first: { algorithm: 'ials', params: { factors: 16, sweeps: 4 } },
    ...{ candidates: 100, hidden: [128, 64], dimensions: 32, learningRate: 0.005, behindShare: 0.3, epochs: 8, distil: { hidden: [8], dimensions: 8 } },
  };
  const train = (more: object) => ncf.train({ interactions: loyalWorld(), params: ncf.params.parse({ ...params, ...more }), seed });
  const small = await train({});
  const heavy = await train({ distil: undefined });
  const told = small.distillation?.();
  if (told === undefined) throw new Error('nothing was distilled');
  const { teacher, student, heldOut, agreementAt20 } = told;
  expect(student.bytes).toBe(graphSize(small.exportGraph()));
  expect(teacher.bytes).toBe(graphSize(heavy.exportGraph()));
  expect(student.bytes).toBeLessThan(0.5 * teacher.bytes);
  expect(student.parameters).toBeLessThan(0.5 * teacher.parameters);
  expect(heavy.distillation).toBeUndefined();
  expect(heldOut.teacher).toHaveLength(30);
  expect(heldOut.student).toHaveLength(30);
  const mean = (values: Float64Array): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  expect(mean(heldOut.student)).toBeGreaterThan(0.85 * mean(heldOut.teacher));
  expect(agreementAt20).toBeGreaterThan(0.6);
  // And outside: the best of both, of histories as they are.
  const best = ({ recommend }: typeof small) => recommend({ history: [4, 34, 220, 34], historyWeight: [1, 1, 1, 1], exclude: [], count: 20 }).items;
  const both = new Set(best(heavy));
  expect(best(small).filter((item) => both.has(item)).length).toBeGreaterThan(10);
}, 120_000);
