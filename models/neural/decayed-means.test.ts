import { expect, test } from 'vitest';
import { createRandom } from '../random.ts';
import { decayedMeans } from './decayed-means.ts';
import { Network } from './network.ts';
import { inWorkspace } from './workspace.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const width = 8;

function uniform(random: ReturnType<typeof createRandom>, length: number, bound: number): Float32Array {
  return Float32Array.from({ length }, () => bound * (2 * random.float() - 1));
}

test('means of what stands before and at each row, one for each decay, and their gradients', () => {
  const starts = [0, 1, 6, 14];
  const decays = [0, 0.6, 1];
  const rows = 14;
  const random = createRandom(seed);
  const places = Int32Array.from({ length: rows }, (_, row) => (starts.includes(row) ? -1 : random.below(5)));
  const weights = uniform(random, rows, 1).map((one) => one + 1.5);
  const { network, value, grad, into } = inWorkspace((workspace) => {
    const made = new Network({ workspace, mostRows: rows });
    const vectors = { value: workspace.floats(5 * width), grad: workspace.floats(5 * width) };
    const sequences = { count: 3, starts: Uint32Array.from(starts) };
    return { network: made, ...vectors, into: decayedMeans(made, { entries: { ...vectors, places, weights }, width, decays, sequences, name: 'start' }) };
  });
  const start = network.parameters[0] as (typeof network.parameters)[number];
  value.set(uniform(random, value.length, 1));
  start.value.set(uniform(random, width, 1));
  network.forward({ rows, training: true });
  const slopes = uniform(random, into.grad.length, 1);
  into.grad.set(slopes);
  network.backward();
  const [dValue, dStart] = [new Float64Array(value.length), new Float64Array(width)];
  for (let row = 0; row < rows; row += 1) {
    const begin = starts.findLast((one) => one <= row) as number;
    for (const [index, decay] of decays.entries()) {
      const before = Array.from({ length: row - begin + 1 }, (_, place) => begin + place);
      const counts = before.map((other) => (weights[other] as number) * decay ** (row - other));
      const total = counts.reduce((sum, one) => sum + one, 0);
      for (let f = 0; f < width; f += 1) {
        const cell = row * decays.length * width + index * width + f;
        let mean = 0;
        for (const [place, other] of before.entries()) {
          const share = (counts[place] as number) / total;
          const vector = places[other] as number;
          mean += share * ((vector < 0 ? start.value[f] : value[vector * width + f]) as number);
          if (vector < 0) dStart[f] = (dStart[f] as number) + share * (slopes[cell] as number);
          else dValue[vector * width + f] = (dValue[vector * width + f] as number) + share * (slopes[cell] as number);
        }
        expect(Math.abs((into.value[cell] as number) - mean)).toBeLessThan(1e-5);
      }
    }
  }
  for (const [cell, one] of dValue.entries()) expect(Math.abs((grad[cell] as number) - one)).toBeLessThan(1e-5);
  for (const [f, one] of dStart.entries()) expect(Math.abs((start.grad[f] as number) - one)).toBeLessThan(1e-5);
});
