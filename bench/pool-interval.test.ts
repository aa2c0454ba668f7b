import { expect, it } from 'vitest';
import { placesTo, shuffle } from '../experiments/drift/permutations.ts';
import { beyondRetraining } from '../experiments/drift/retraining-noise.ts';
import { normals } from '../experiments/simulator/normals.ts';
import { createRandom } from '../models/random.ts';
import { poolInterval } from './pool-interval.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000_000;

it('the interval of a pool of trainings holds what it says, where that of independent replications would not', () => {
  const [size, drawn, of] = [48, 1000, 80];
  let [held, widest] = [0, 0];
  for (let pool = 0; pool < of; pool += 1) {
    const normal = normals(createRandom(seed + pool));
    const luck = Array.from({ length: size }, () => normal());
    const trainings = (replication: number) => shuffle(placesTo(size), createRandom(seed + 10_000 * pool + replication)).subarray(0, 4);
    const alarms = Array.from({ length: drawn }, (_, replication) => {
      const own = Array.from(trainings(replication), (training) => luck[training] as number);
      const distances = own.map((one) => own.map((other) => 20 + one + other));
      return beyondRetraining(distances, { model: 3, others: [0, 1, 2] }).p <= 0.05;
    });
    const [low, high] = poolInterval(alarms, { trainings, size });
    if (low <= 0.05 && high >= 0.05) held += 1;
    widest = Math.max(widest, high - low);
  }
  // Nine of ten; five deviations of 2.7 fewer.
  expect(held).toBeGreaterThan(58);
  expect(widest).toBeLessThan(0.12);
});
