import { graphDigest } from '../../graph/graph-files.ts';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../random.ts';
import type { Embeddings, Interactions, Model } from '../algorithm.ts';
import { accumulate, type SparseRows, transpose } from '../sparse.ts';
import { foldIn, whitenItems } from './fold-in.ts';
import { HalfSweeps, type IalsSettings } from './half-sweeps.ts';
import { ials } from './ials.ts';

const width = 8;
const rowCount = 14;
const columnCount = 20;

/** The same rows as interactions. */
const interactionsOf = ({ rowCount, columnCount, indptr, columns, values }: SparseRows): Interactions => ({
  ...{ userCount: rowCount, itemCount: columnCount, indptr, items: columns, weights: values },
  atMs: new Float64Array(columns.length),
});

type Bench = { entries: SparseRows; settings: IalsSettings; users?: Float32Array; items: Float32Array };
async function withProblem<T>({ entries, settings, users, items }: Bench, use: (problem: HalfSweeps) => Promise<T>): Promise<T> {
  const problem = new HalfSweeps({ interactions: interactionsOf(entries), width, settings, threads: 1, fused: false });
  try {
    if (users !== undefined) problem.users.set(users);
    problem.items.set(items);
    return await use(problem);
  } finally {
    await problem.close();
  }
}

/** Small random rows; the last one is empty. */
function someRows(seed: number): SparseRows {
  const random = createRandom(seed);
  const indptr = new Uint32Array(rowCount + 1);
  const columns: number[] = [];
  for (let row = 0; row < rowCount; row += 1) {
    const taken = new Set<number>();
    for (let entry = 0; entry < (row === rowCount - 1 ? 0 : 1 + random.below(9)); entry += 1) taken.add(random.below(columnCount));
    columns.push(...[...taken].sort((a, b) => a - b));
    indptr[row + 1] = columns.length;
  }
  return { rowCount, columnCount, indptr, columns: Uint32Array.from(columns), values: Float32Array.from(columns, () => 0.5 + random.below(4)) };
}

function someFactors(seed: number, rows: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: rows * width }, () => random.float() - 0.5);
}

/** The normal equations written out over all columns, solved by Gaussian elimination: no code in common with the solver. */
function denseSolution({ entries, row, factors, settings }: { entries: SparseRows; row: number; factors: Float32Array; settings: IalsSettings }): number[] {
  const confidence = new Array<number>(entries.columnCount).fill(0);
  for (let entry = entries.indptr[row] as number; entry < (entries.indptr[row + 1] as number); entry += 1)
    confidence[entries.columns[entry] as number] = settings.alpha * (entries.values[entry] as number);
  const total = entries.columnCount + confidence.reduce((sum, value) => sum + value, 0);
  const lambda = settings.lambda * total ** settings.frequencyScaling;
  const matrix = Array.from({ length: width }, (_, i) => Array.from({ length: width + 1 }, (_, j) => (i === j ? lambda : 0)));
  for (let column = 0; column < entries.columnCount; column += 1) {
    const y = Array.from(factors.subarray(column * width, (column + 1) * width));
    const observed = confidence[column] as number;
    for (let i = 0; i < width; i += 1) {
      const equation = matrix[i] as number[];
      for (let j = 0; j < width; j += 1) equation[j] = (equation[j] as number) + (1 + observed) * (y[i] as number) * (y[j] as number);
      equation[width] = (equation[width] as number) + observed * (y[i] as number);
    }
  }
  return eliminate(matrix);
}

function eliminate(matrix: number[][]): number[] {
  const size = matrix.length;
  for (let pivot = 0; pivot < size; pivot += 1) {
    const best = matrix.findIndex(
      (equation, row) =>
        row >= pivot && Math.abs(equation[pivot] as number) === Math.max(...matrix.slice(pivot).map((other) => Math.abs(other[pivot] as number))),
    );
    [matrix[pivot], matrix[best]] = [matrix[best] as number[], matrix[pivot] as number[]];
    const top = matrix[pivot] as number[];
    for (const [row, equation] of matrix.entries()) {
      if (row === pivot) continue;
      const factor = (equation[pivot] as number) / (top[pivot] as number);
      for (let column = 0; column <= size; column += 1) equation[column] = (equation[column] as number) - factor * (top[column] as number);
    }
  }
  return matrix.map((equation, row) => (equation[size] as number) / (equation[row] as number));
}

/** The objective in ials.ts, pair by pair. */
function loss({ entries, users, items, settings }: { entries: SparseRows; users: Float32Array; items: Float32Array; settings: IalsSettings }): number {
  const norm = (factors: Float32Array, row: number): number => factors.subarray(row * width, (row + 1) * width).reduce((sum, value) => sum + value * value, 0);
  const observed = new Map<string, number>();
  const byColumn = new Array<number>(entries.columnCount).fill(0);
  let sum = 0;
  for (let user = 0; user < entries.rowCount; user += 1) {
    let own = 0;
    for (let entry = entries.indptr[user] as number; entry < (entries.indptr[user + 1] as number); entry += 1) {
      const weight = settings.alpha * (entries.values[entry] as number);
      observed.set(`${user},${entries.columns[entry]}`, weight);
      byColumn[entries.columns[entry] as number] = (byColumn[entries.columns[entry] as number] as number) + weight;
      own += weight;
    }
    sum += settings.lambda * (entries.columnCount + own) ** settings.frequencyScaling * norm(users, user);
  }
  for (const [item, weight] of byColumn.entries()) sum += settings.lambda * (entries.rowCount + weight) ** settings.frequencyScaling * norm(items, item);
  for (let user = 0; user < entries.rowCount; user += 1) {
    for (let item = 0; item < entries.columnCount; item += 1) {
      let score = 0;
      for (let f = 0; f < width; f += 1) score += (users[user * width + f] as number) * (items[item * width + f] as number);
      sum += score * score + (observed.get(`${user},${item}`) ?? 0) * (1 - score) ** 2;
    }
  }
  return sum;
}

describe.each([
  { alpha: 10, lambda: 0.1, frequencyScaling: 1, solver: 'preconditioned' },
  { alpha: 3, lambda: 2, frequencyScaling: 0, solver: 'plain' },
  { alpha: 25, lambda: 0.5, frequencyScaling: 0.5, solver: 'preconditioned' },
] as const)('with $alpha, $lambda, $frequencyScaling, $solver', (settings) => {
  test('a half-sweep solves the normal equations of every row', async () => {
    const entries = someRows(1);
    await withProblem({ entries, settings, users: someFactors(3, rowCount), items: someFactors(2, columnCount) }, async (problem) => {
      await problem.turn('items');
      await problem.solve('users', { from: 0, to: rowCount, steps: 40 });
      for (let row = 0; row < rowCount; row += 1) {
        for (const [f, value] of denseSolution({ entries, row, factors: problem.items, settings }).entries())
          expect(problem.users[row * width + f]).toBeCloseTo(value, 4);
      }
    });
  });

  test('turning changes no product of a user and an item', async () => {
    const entries = someRows(1);
    const [users, items] = [someFactors(3, rowCount), someFactors(2, columnCount)];
    await withProblem({ entries, settings, users, items }, async (problem) => {
      await problem.turn('users');
      const product = (a: Float32Array, b: Float32Array, row: number, column: number) =>
        a.subarray(row * width, (row + 1) * width).reduce((sum, value, f) => sum + value * (b[column * width + f] as number), 0);
      for (let row = 0; row < rowCount; row += 1) {
        for (let column = 0; column < columnCount; column += 1)
          expect(product(problem.users, problem.items, row, column)).toBeCloseTo(product(users, items, row, column), 5);
      }
      for (let f = 0; f < width; f += 1) {
        for (let g = 0; g < width; g += 1) {
          let sum = 0;
          for (let row = 0; row < rowCount; row += 1) sum += (problem.users[row * width + f] as number) * (problem.users[row * width + g] as number);
          expect(sum).toBeCloseTo(f === g ? (problem.spectrum[f] as number) : 0, 5);
        }
      }
    });
  });

  test('fold-in gives the scores of the normal equations, also for an item that comes twice', async () => {
    const entries = someRows(4);
    await withProblem({ entries, settings, items: someFactors(5, columnCount) }, async (problem) => {
      await problem.turn('items');
      const { items: factors, spectrum } = problem;
      const items = whitenItems({ items: factors, spectrum, itemCount: columnCount, settings: { ...settings, foldInSteps: 12 } });
      for (let row = 0; row < rowCount; row += 1) {
        const history: { item: number; weight: number }[] = [];
        for (let entry = entries.indptr[row] as number; entry < (entries.indptr[row + 1] as number); entry += 1) {
          const half = { item: entries.columns[entry] as number, weight: (entries.values[entry] as number) / 2 };
          history.push(half, half);
        }
        const user = foldIn({ items, history });
        const expected = denseSolution({ entries, row, factors, settings });
        for (let item = 0; item < columnCount; item += 1) {
          let score = 0;
          let exact = 0;
          for (let f = 0; f < width; f += 1) {
            score += (items.factors[item * width + f] as number) * (user[f] as number);
            exact += (factors[item * width + f] as number) * (expected[f] as number);
          }
          expect(score).toBeCloseTo(exact, 5);
        }
      }
    });
  });

  test('the objective falls with every half-sweep, with few solver steps too', async () => {
    const entries = someRows(6);
    await withProblem({ entries, settings, items: someFactors(7, columnCount) }, async (problem) => {
      const now = () => loss({ entries, users: problem.users, items: problem.items, settings });
      let before = now();
      for (let sweep = 0; sweep < 6; sweep += 1) {
        for (const [side, other] of [['users', 'items'] as const, ['items', 'users'] as const]) {
          await problem.turn(other);
          await problem.solve(side, { from: 0, to: side === 'users' ? rowCount : columnCount, steps: 2 });
          const after = now();
          expect(after).toBeLessThanOrEqual(before * (1 + 1e-5));
          before = after;
        }
      }
    });
  });
});

test('of far less data than it has factors comes to an end', async () => {
  for (const seed of [0, 1, 5, 9]) {
    const random = createRandom(seed);
    const [userCount, itemCount] = [1 + random.below(30), 1 + random.below(24)];
    const indptr = new Uint32Array(userCount + 1);
    const items: number[] = [];
    for (let user = 0; user < userCount; user += 1) {
      for (let entry = 0; entry < 1 + random.below(8); entry += 1) items.push(random.below(itemCount));
      indptr[user + 1] = items.length;
    }
    const interactions: Interactions = {
      ...{ userCount, itemCount, indptr, items: Uint32Array.from(items) },
      ...{ weights: new Float32Array(items.length).fill(1), atMs: new Float64Array(items.length) },
    };
    const model = await ials.train({ interactions, params: ials.params.parse({ factors: 128, sweeps: 60 }), seed });
    const { scores } = model.recommend({ history: [0], historyWeight: [1], exclude: [], count: itemCount });
    expect(scores.every(Number.isFinite)).toBe(true);
  }
});

test('is the same to the bit for any number of threads', async () => {
  const random = createRandom(21);
  const userCount = 3000;
  const items = Uint32Array.from({ length: userCount * 20 }, () => random.below(700));
  const interactions: Interactions = {
    ...{ userCount, itemCount: 700, items, weights: Float32Array.from(items, () => 1 + random.float()), atMs: new Float64Array(items.length) },
    indptr: Uint32Array.from({ length: userCount + 1 }, (_, user) => user * 20),
  };
  const params = ials.params.parse({ factors: 96, sweeps: 2 });
  const [one, ...others] = await Promise.all([1, 2, 4].map((threads) => ials.train({ interactions, params, seed: 1 }, { threads })));
  for (const other of others) expect(graphDigest(other.exportGraph())).toBe(graphDigest((one as Model).exportGraph()));
});

test('finds the taste of a user from one item', async () => {
  // Two groups of users, each with items of its own: 0 .. 9 and 10 .. 19.
  const random = createRandom(9);
  const userCount = 60;
  const items = Array.from({ length: userCount * 5 }, (_, entry) => random.below(10) + (Math.floor(entry / 5) % 2) * 10);
  const interactions: Interactions = {
    userCount,
    itemCount: 20,
    indptr: Uint32Array.from({ length: userCount + 1 }, (_, user) => user * 5),
    items: Uint32Array.from(items),
    weights: new Float32Array(items.length).fill(1),
    atMs: new Float64Array(items.length),
  };
  const model = await ials.train({ interactions, params: ials.params.parse({ factors: 4, sweeps: 6 }), seed: 1 });
  for (const item of [3, 14]) {
    const answer = model.recommend({ history: [item], historyWeight: [1], exclude: [item], count: 3 });
    for (const other of answer.items) expect(Math.floor(other / 10)).toBe(Math.floor(item / 10));
  }
});

test('repeated entries add up, in any order of users', () => {
  const interactions: Interactions = {
    userCount: 2,
    itemCount: 4,
    indptr: Uint32Array.of(0, 4, 5),
    items: Uint32Array.of(3, 1, 3, 3, 0),
    weights: Float32Array.of(1, 2, 0.5, 0.25, 7),
    atMs: new Float64Array(5),
  };
  const rows = accumulate(interactions);
  expect([Array.from(rows.indptr), Array.from(rows.columns), Array.from(rows.values)]).toEqual([
    [0, 2, 3],
    [1, 3, 0],
    [2, 1.75, 7],
  ]);
  const columns = transpose(rows);
  expect([Array.from(columns.indptr), Array.from(columns.columns), Array.from(columns.values)]).toEqual([
    [0, 1, 2, 2, 3],
    [1, 0, 0],
    [7, 2, 1.75],
  ]);
});

test('the product of two embeddings is what little of the one adds to the score of the other', async () => {
  const entries = someRows(4);
  const interactions: Interactions = {
    ...{ userCount: rowCount, itemCount: columnCount, indptr: entries.indptr, items: entries.columns, weights: entries.values },
    atMs: new Float64Array(entries.columns.length),
  };
  const alpha = 5;
  const params = ials.params.parse({ factors: width, alpha, frequencyScaling: 0 });
  const model = await ials.train({ interactions, params, seed: 2 });
  const { dimensions, measure, vectors } = (model.embeddings as () => Embeddings)();
  expect([dimensions, measure, vectors.length]).toEqual([width, 'dot', columnCount * width]);
  const weight = 1e-4;
  for (let one = 0; one < columnCount; one += 1) {
    const { items, scores } = model.recommend({ history: [one], historyWeight: [weight], exclude: [], count: columnCount });
    for (const [place, other] of items.entries()) {
      let product = 0;
      for (let f = 0; f < width; f += 1) product += (vectors[one * width + f] as number) * (vectors[other * width + f] as number);
      // The prior is up to 1e-6.
      expect(Math.abs((scores[place] as number) - alpha * weight * product)).toBeLessThan(2e-6);
    }
  }
});
