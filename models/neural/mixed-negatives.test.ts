import { expect, test } from 'vitest';
import { createRandom } from '../random.ts';
import { mixedNegatives } from './mixed-negatives.ts';
import { Network } from './network.ts';
import { inWorkspace } from './workspace.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const width = 8;

function uniform(random: ReturnType<typeof createRandom>, length: number, bound: number): Float32Array {
  return Float32Array.from({ length }, () => bound * (2 * random.float() - 1));
}

/** Rows of three sequences, the first longer than what is worked on at once; every item a candidate. */
function build({ items, starts, drawnBeside, beside }: { items: number; starts: number[]; drawnBeside: Uint32Array; beside: number }) {
  const rows = starts.at(-1) as number;
  const random = createRandom(seed);
  const asTarget = Float64Array.from({ length: items }, () => random.float());
  const all = asTarget.reduce((sum, one) => sum + one, 0);
  const chances = { asTarget: asTarget.map((one) => one / all), beside };
  const made = inWorkspace((workspace) => {
    const network = new Network({ workspace, mostRows: rows });
    const from = network.flow(width);
    const candidates = {
      ...{ count: items, width, items: Int32Array.from({ length: items }, (_, item) => item) },
      ...{ value: workspace.floats(items * width), grad: workspace.floats(items * width) },
    };
    return { network, from, candidates, loss: mixedNegatives(network, { from, candidates, mostCandidates: items, chances }) };
  });
  const { network, from, candidates, loss } = made;
  const drawn = {
    ...{ rows, targets: Int32Array.from({ length: rows }, () => random.below(items)), weights: uniform(random, rows, 0.5).map((one) => one + 1) },
    ...{ sequences: { count: starts.length - 1, starts: Uint32Array.from(starts) }, drawnBeside },
  };
  from.value.set(uniform(random, rows * width, 1));
  candidates.value.set(uniform(random, items * width, 1));
  const run = () => {
    network.forward({ rows, training: true });
    candidates.grad.fill(0);
    return loss.run(drawn);
  };
  return { ...made, random, drawn, chances, run };
}

test('the loss and its gradients are what is written down: counted over expected, the target itself once, nothing of the own sequence', () => {
  const items = 37;
  const beside = 0.7;
  const drawnBeside = Uint32Array.from({ length: items }, (_, item) => item % 3);
  const { from, candidates, drawn, chances, run } = build({ items, starts: [0, 150, 151, 190], drawnBeside, beside });
  const value = run();
  const { rows, targets, weights, sequences } = drawn;
  const total = weights.reduce((sum, one) => sum + one, 0);
  const dFrom = new Float64Array(rows * width);
  const dItems = new Float64Array(items * width);
  let expected = 0;
  for (let row = 0; row < rows; row += 1) {
    const sequence = sequences.starts.findIndex((start) => start > row) - 1;
    const [begin, end] = [sequences.starts[sequence] as number, sequences.starts[sequence + 1] as number];
    const target = targets[row] as number;
    const stands = Array.from({ length: items }, (_, item) => {
      const came = targets.filter((one, other) => one === item && (other < begin || other >= end)).length + (drawnBeside[item] as number);
      return item === target ? 1 : came / ((rows - (end - begin)) * (chances.asTarget[item] as number) + beside);
    });
    const exponentials = stands.map((times, item) => {
      let score = 0;
      for (let f = 0; f < width; f += 1) score += (from.value[row * width + f] as number) * (candidates.value[item * width + f] as number);
      return times * Math.exp(score);
    });
    const all = exponentials.reduce((sum, one) => sum + one, 0);
    const weight = (weights[row] as number) / total;
    expected -= weight * Math.log((exponentials[target] as number) / all);
    for (const [item, exponential] of exponentials.entries()) {
      const slope = weight * (exponential / all - (item === target ? 1 : 0));
      for (let f = 0; f < width; f += 1) {
        dFrom[row * width + f] = (dFrom[row * width + f] as number) + slope * (candidates.value[item * width + f] as number);
        dItems[item * width + f] = (dItems[item * width + f] as number) + slope * (from.value[row * width + f] as number);
      }
    }
  }
  expect(Math.abs(value - expected)).toBeLessThan(1e-5 * expected);
  for (const [cell, one] of dFrom.entries()) expect(Math.abs((from.grad[cell] as number) - one)).toBeLessThan(1e-5);
  for (const [cell, one] of dItems.entries()) expect(Math.abs((candidates.grad[cell] as number) - one)).toBeLessThan(1e-5);
});

test('scores of any size make no loss that is not a number', () => {
  for (const size of [0, 1e-20, 30, 1e4]) {
    const { from, candidates, run } = build({ items: 21, starts: [0, 3, 40], drawnBeside: new Uint32Array(21).fill(1), beside: 1 });
    from.value.set(from.value.map((one) => size * one));
    expect(run()).toBeGreaterThanOrEqual(0);
    for (const grad of [from.grad, candidates.grad]) expect(grad.every(Number.isFinite)).toBe(true);
  }
});
