import { graphSize } from '../../graph/graph-files.ts';
import { expect, test } from 'vitest';
import { createRandom } from '../../random.ts';
import { interactionsOf } from '../testing-interactions.ts';
import { ncf } from './ncf.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const [itemCount, users, days, arrivals] = [300, 300, 14, 20];

/** What is bought is what arrived of late. */
function freshWorld() {
  const random = createRandom(seed);
  const place = (day: number): number => Math.floor(0.999 * arrivals * Math.max(0, day + 1 - 3 * random.float() ** 2));
  const histories = Array.from({ length: users }, () => Array.from({ length: days }, (_, day) => place(day)));
  return interactionsOf(histories, itemCount, (entry) => 1_300_000_000_000 + (entry % days) * 86_400_000 + entry);
}

test('a small ranker answers nearly as the heavy one that taught it, and what that costs is told of users that neither was trained on', async () => {
  const params = {
    first: { algorithm: 'ials', params: { factors: 16, sweeps: 4 } },
    ...{ candidates: 100, hidden: [128, 64], dimensions: 32, learningRate: 0.005, behindShare: 0.3, epochs: 12, distil: { hidden: [8], dimensions: 8 } },
  };
  const train = (more: object) => ncf.train({ interactions: freshWorld(), params: ncf.params.parse({ ...params, ...more }), seed });
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
  expect(heldOut.teacher).toHaveLength(45);
  expect(heldOut.student).toHaveLength(45);
  const mean = (values: Float64Array): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  expect(mean(heldOut.student)).toBeGreaterThan(0.85 * mean(heldOut.teacher));
  expect(agreementAt20).toBeGreaterThan(0.6);
  // And outside: the best of both, of histories as they are.
  const best = ({ recommend }: typeof small) => recommend({ history: [4, 31, 222], historyWeight: [1, 1, 1], exclude: [], count: 20 }).items;
  const both = new Set(best(heavy));
  expect(best(small).filter((item) => both.has(item)).length).toBeGreaterThan(10);
});
