import { describe, expect, test } from 'vitest';
import { createRandom } from '../random.ts';
import { causalAttention } from './attention.ts';
import { fullSoftmax, type Loss, Panels } from './full-softmax.ts';
import { addDropped, DropoutMasks, type Flow, layerNorm, linear, Network, relu } from './network.ts';
import { RowTable } from './row-table.ts';
import { generalizedBce, sampledLoss, sampledSoftmax } from './sampled-loss.ts';
import { inWorkspace } from './workspace.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const rows = 21;
const width = 16;
const items = 70;
const sequences = { count: 4, starts: Uint32Array.of(0, 1, 9, 12, rows) };

type Built = { network: Network; table: RowTable; begin: Flow; loss: Loss; masks: DropoutMasks };

/** One of every step behind a table, and a loss of the outcome over the same table. */
function build(lossOf: (parts: { network: Network; from: Flow; table: RowTable }) => Loss, mostTouched?: number): Built {
  const built = inWorkspace((workspace): Built => {
    const network = new Network({ workspace, mostRows: rows });
    const table = new RowTable({ workspace, rows: Panels.rowsFor(items), width, mostTouched });
    const begin = network.flow(width);
    const masks = new DropoutMasks(0.25);
    const normal = layerNorm(network, { from: begin, name: 'a' });
    const attended = causalAttention(network, { from: linear(network, { from: normal, width: 3 * width, name: 'b' }), heads: 2, sequences, mostLength: 9 });
    const stream = addDropped(network, { base: begin, branch: attended, masks });
    const inner = relu(network, linear(network, { from: stream, width: 24, name: 'c' }));
    const out = layerNorm(network, {
      from: addDropped(network, { base: stream, branch: linear(network, { from: inner, width, name: 'd' }), masks }),
      name: 'e',
    });
    return { network, table, begin, masks, loss: lossOf({ network, from: out, table }) };
  });
  const random = createRandom(seed);
  const draw = (array: Float32Array, bound: number) => array.set(array.map(() => bound * (2 * random.float() - 1)));
  draw(built.begin.value, 1);
  draw(built.table.value.subarray(0, items * width), 0.4);
  for (const { value, name } of built.network.parameters) {
    draw(value, 0.3);
    if (name.endsWith('gain')) value.set(value.map((one) => 1 + one));
  }
  return built;
}

const losses: { name: string; mostTouched?: number; lossOf: (parts: { network: Network; from: Flow; table: RowTable }) => Loss }[] = [
  {
    name: 'softmax over all items',
    lossOf: ({ network, from, table }) => fullSoftmax({ network, from, table, panels: new Panels({ workspace: network.workspace, table, items }) }),
  },
  {
    name: 'softmax over sampled items',
    mostTouched: 80,
    lossOf: (parts) => sampledLoss(parts.network, { ...parts, items, negatives: 16, of: sampledSoftmax({ items, negatives: 16 }), key: () => 5 }),
  },
  {
    name: 'generalized binary cross entropy',
    mostTouched: 80,
    lossOf: (parts) =>
      sampledLoss(parts.network, { ...parts, items, negatives: 24, of: generalizedBce({ items, negatives: 24, calibration: 0.75 }), key: () => 5 }),
  },
];

describe.each(losses)('$name', ({ lossOf, mostTouched }) => {
  test('gradients are what the loss changes by', () => {
    const { network, table, begin, loss, masks } = build(lossOf, mostTouched);
    const random = createRandom(seed + 1);
    const targets = {
      items: Int32Array.from({ length: rows }, () => random.below(items)),
      weights: Float32Array.from({ length: rows }, () => 0.5 + random.float()),
    };
    const run = () => {
      table.clear();
      masks.begin(7);
      network.forward({ rows, training: true });
      const value = loss.run(targets);
      network.backward();
      return value;
    };
    run();
    const grads = [
      ...network.parameters.map(({ name, value, grad }) => ({ name, value, grad: grad.slice() })),
      { name: 'begin', value: begin.value, grad: begin.grad.slice() },
      {
        name: 'table',
        value: table.value,
        grad: Float32Array.from({ length: items * width }, (_, cell) => table.grad[table.gradOf(Math.floor(cell / width)) + (cell % width)] as number),
      },
    ];
    for (const { name, value, grad } of grads) {
      const before = value.slice();
      const size = Math.sqrt(grad.reduce((sum, one) => sum + one * one, 0));
      expect(size, name).toBeGreaterThan(0);
      // Along random directions, each of which has every cell of the gradient in it. Where one crosses a kink of relu, its slope is no gradient: hence a short move, and the median.
      const errors = Array.from({ length: 7 }, () => {
        const direction = Float32Array.from(grad, () => (random.float() < 0.5 ? -1 : 1));
        const expected = grad.reduce((sum, one, cell) => sum + one * (direction[cell] as number), 0);
        const move = 5e-5;
        const along = (by: number) => {
          value.set(before.map((one, cell) => one + by * (direction[cell] ?? 0)));
          return run();
        };
        const measured = (along(move) - along(-move)) / (2 * move);
        value.set(before);
        return Math.abs(measured - expected) / size;
      });
      expect(errors.sort((a, b) => a - b)[3], name).toBeLessThan(0.03);
    }
  });
});

test('the full softmax is the one that is written down, whatever the scores', () => {
  const parts = inWorkspace((workspace) => {
    const network = new Network({ workspace, mostRows: rows });
    const table = new RowTable({ workspace, rows: Panels.rowsFor(items), width });
    const from = network.flow(width);
    return { network, table, from, loss: fullSoftmax({ network, from, table, panels: new Panels({ workspace: network.workspace, table, items }) }) };
  });
  const { network, table, from, loss } = parts;
  const random = createRandom(seed);
  for (const bound of [0.1, 1, 4]) {
    from.value.set(from.value.map(() => bound * (2 * random.float() - 1)));
    for (let cell = 0; cell < items * width; cell += 1) table.value[cell] = bound * (2 * random.float() - 1);
    const targets = {
      items: Int32Array.from({ length: rows }, () => random.below(items)),
      weights: Float32Array.from({ length: rows }, () => 1 + random.below(3)),
    };
    network.forward({ rows, training: true });
    table.clear();
    const value = loss.run(targets);
    let expected = 0;
    const dFrom = new Float64Array(rows * width);
    const dTable = new Float64Array(items * width);
    const total = targets.weights.reduce((sum, weight) => sum + weight, 0);
    for (let row = 0; row < rows; row += 1) {
      const vector = from.value.subarray(row * width, (row + 1) * width);
      const scores = Array.from({ length: items }, (_, item) => vector.reduce((sum, one, f) => sum + one * (table.value[item * width + f] as number), 0));
      const largest = Math.max(...scores);
      const all = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0);
      const weight = (targets.weights[row] as number) / total;
      expected += weight * (Math.log(all) + largest - (scores[targets.items[row] as number] as number));
      for (const [item, score] of scores.entries()) {
        const slope = weight * (Math.exp(score - largest) / all - (item === targets.items[row] ? 1 : 0));
        for (let f = 0; f < width; f += 1) {
          dFrom[row * width + f] = (dFrom[row * width + f] as number) + slope * (table.value[item * width + f] as number);
          dTable[item * width + f] = (dTable[item * width + f] as number) + slope * (vector[f] as number);
        }
      }
    }
    expect(Math.abs(value - expected) / expected).toBeLessThan(1e-5);
    for (const [cell, one] of dFrom.entries()) expect(Math.abs((from.grad[cell] as number) - one)).toBeLessThan(1e-5 * bound);
    for (const [cell, one] of dTable.entries()) expect(Math.abs((table.grad[cell] as number) - one)).toBeLessThan(1e-5 * bound);
  }
});
