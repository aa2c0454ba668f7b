import { expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { bootstrapMean } from '../ranking/testing.ts';
import { groupCount, groupOf, ratioOfSums } from './group-sums.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;

it('deals users out evenly, each always into the same group', () => {
  const counts = new Array<number>(groupCount).fill(0);
  for (let user = 0; user < 100 * groupCount; user += 1) counts[groupOf(`u:c-${user}`)] = (counts[groupOf(`u:c-${user}`)] as number) + 1;
  // Poisson of 100: six deviations.
  for (const count of counts) expect(Math.abs(count - 100)).toBeLessThan(60);
  expect(groupOf('u:c-12345')).toBe(groupOf(['u:c', '12345'].join('-')));
});

it('of one user a group it is the bootstrap of the mean by user', () => {
  const random = createRandom(seed);
  const values = Float64Array.from({ length: 400 }, () => 0.1 + random.float());
  const ratio = ratioOfSums({ over: values, under: new Float64Array(400).fill(1), seed: 7 });
  expect(ratio).toEqual(bootstrapMean({ values, seed: 7 }));
});

it('holds the truth nineteen times of twenty, also where users come several times', () => {
  const random = createRandom(seed);
  const [truth, runs] = [-0.1, 200];
  let held = 0;
  for (let run = 0; run < runs; run += 1) {
    const [over, under] = [new Float64Array(60), new Float64Array(60)];
    for (let user = 0; user < 60; user += 1) {
      // What a user is like stays over two origins.
      const [level, own] = [random.float(), random.float() - 0.5];
      for (let origin = 0; origin < 2; origin += 1) {
        under[user] = (under[user] as number) + level;
        over[user] = (over[user] as number) + truth * level + own * 0.4;
      }
    }
    const interval = ratioOfSums({ over, under, seed: run, replications: 200 });
    if (interval !== null && interval.low <= truth && truth <= interval.high) held += 1;
  }
  // 95 % of 200, less four deviations; by (user, origin) pairs it would be about 83 %.
  expect(held / runs).toBeGreaterThan(0.87);
});

it('says nothing where nothing was found, or in too few', () => {
  const none = new Float64Array(groupCount);
  expect(ratioOfSums({ over: none, under: none, seed: 1 })).toBeNull();
  const one = none.slice();
  one[3] = 1;
  expect(ratioOfSums({ over: none, under: one, seed: 1 })).toBeNull();
  // A draw may miss the only one who found anything.
  const many = none.slice().fill(1);
  expect(ratioOfSums({ over: many, under: one, seed: 1 })).toBeNull();
});
