import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { normals } from '../simulator/normals.ts';
import { alignVectors, turnOnto } from './align-vectors.ts';
import { answersChange, comparePairs, displacements, nearestItems, neighbourChanges } from './compare-items.ts';
import { changeOfDays, movedItems, movedSegments } from './moved-items.ts';
import { placesTo } from './permutations.ts';
import { readVector } from './read-vector.ts';
import { studentAbove } from '../student.ts';
import { beyondRetraining } from './retraining-noise.ts';
import type { Vectors } from './vectors.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000_000;

function cloud(count: number, dimensions: number, own: number): Vectors {
  const normal = normals(createRandom(own));
  return { count, dimensions, values: Float64Array.from({ length: count * dimensions }, () => normal()) };
}
/** A turn that is drawn: the one that brings one cloud onto another. */
const anyTurn = (dimensions: number, own: number) =>
  turnOnto(cloud(dimensions + 3, dimensions, own), { onto: cloud(dimensions + 3, dimensions, own + 1), rows: placesTo(dimensions + 3) });
function turnedBy({ count, dimensions, values }: Vectors, turn: Float64Array): Vectors {
  const result = new Float64Array(values.length);
  for (let row = 0; row < count; row += 1)
    for (let i = 0; i < dimensions; i += 1)
      for (let j = 0; j < dimensions; j += 1)
        result[row * dimensions + j] =
          (result[row * dimensions + j] as number) + (values[row * dimensions + i] as number) * (turn[i * dimensions + j] as number);
  return { count, dimensions, values: result };
}
const noisy = (vectors: Vectors, size: number, own: number): Vectors => {
  const normal = normals(createRandom(own));
  return { ...vectors, values: vectors.values.map((value) => value + size * normal()) };
};

it('a user is where the scores of items say, whatever the model', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 1e9 }), (dimensions, own) => {
      const items = cloud(20 * dimensions, dimensions, own);
      const user = cloud(1, dimensions, own + 1).values;
      const rows = Array.from({ length: items.count }, (_, row) => row);
      const products = rows.map((row) => user.reduce((sum, one, at) => sum + one * (items.values[row * dimensions + at] as number), 0));
      const { vector, explained } = readVector(items, { rows, products });
      for (const [at, one] of user.entries()) expect(vector[at]).toBeCloseTo(one, 4);
      expect(explained).toBeGreaterThan(0.9999);
      // What is no product of vectors is not taken for one.
      const normal = normals(createRandom(own + 2));
      expect(readVector(items, { rows, products: rows.map(() => normal()) }).explained).toBeLessThan(0.9);
    }),
    { numRuns: 30 },
  );
  expect(readVector(cloud(3, 2, seed), { rows: [0, 1, 2], products: [0, 0, 0] })).toMatchObject({ vector: new Float64Array(2), explained: 1 });
});

describe('alignment', () => {
  it('undoes any turn, and a turn is one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 12, max: 40 }), fc.integer({ min: 1, max: 1e9 }), (dimensions, count, own) => {
        const vectors = cloud(count, dimensions, own);
        const turn = anyTurn(dimensions, own + 2);
        for (let a = 0; a < dimensions; a += 1)
          for (let b = 0; b < dimensions; b += 1) {
            const product = Array.from({ length: dimensions }, (_, i) => (turn[a * dimensions + i] as number) * (turn[b * dimensions + i] as number));
            expect(product.reduce((sum, one) => sum + one, 0)).toBeCloseTo(a === b ? 1 : 0, 9);
          }
        const back = alignVectors(turnedBy(vectors, turn), { onto: vectors, rows: placesTo(count) });
        for (const [at, value] of back.values.entries()) expect(value).toBeCloseTo(vectors.values[at] as number, 7);
      }),
      { numRuns: 50 },
    );
  });

  it('is the best turn of the plane, by trying all', () => {
    const [one, other] = [cloud(15, 2, seed), cloud(15, 2, seed + 1)];
    const squares = (vectors: Vectors) => vectors.values.reduce((sum, value, at) => sum + (value - (other.values[at] as number)) ** 2, 0);
    const best = squares(alignVectors(one, { onto: other, rows: placesTo(15) }));
    for (let step = 0; step < 360; step += 1) {
      const [cosine, sine] = [Math.cos((step * Math.PI) / 180), Math.sin((step * Math.PI) / 180)];
      for (const turn of [
        [cosine, sine, -sine, cosine],
        [cosine, sine, sine, -cosine],
      ])
        expect(squares(turnedBy(one, Float64Array.from(turn)))).toBeGreaterThanOrEqual(best - 1e-9);
    }
  });

  it('leaves dimensions alone that nothing is known of', () => {
    const flat = cloud(20, 3, seed);
    for (let at = 2; at < flat.values.length; at += 3) flat.values[at] = 0;
    for (const value of displacements(flat, flat)) expect(value).toBeCloseTo(0, 9);
    const nothing = { count: 4, dimensions: 3, values: new Float64Array(12) };
    expect([...displacements(nothing, nothing)]).toEqual([0, 0, 0, 0]);
  });
});

describe('two models', () => {
  it('that differ by a turn do not differ; which of them is first does not matter', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), (own) => {
        const [one, other] = [cloud(40, 4, own), cloud(40, 4, own + 1)];
        const turned = turnedBy(one, anyTurn(4, own + 2));
        for (const moved of displacements(one, turned)) expect(moved).toBeLessThan(1e-6);
        const near = (model: Vectors) => nearestItems(model, { asked: placesTo(40), k: 5 });
        expect(neighbourChanges(near(one), near(turned)).every((change) => change === 0)).toBe(true);
        const [forth, back] = [displacements(one, other), displacements(other, one)];
        for (const [row, moved] of forth.entries()) expect(moved).toBeCloseTo(back[row] as number, 7);
        expect([...neighbourChanges(near(one), near(other))]).toEqual([...neighbourChanges(near(other), near(one))]);
      }),
      { numRuns: 20 },
    );
  });

  it('the items that moved are found, with their share, and their segment', () => {
    const base = cloud(60, 4, seed);
    const models = [1, 2, 3].map((number) => turnedBy(noisy(base, 0.02, seed + number), anyTurn(4, seed + 10 + number)));
    const changed = { ...base, values: base.values.slice() };
    for (const row of [7, 31]) for (let at = row * 4; at < row * 4 + 4; at += 1) changed.values[at] = (changed.values[at] as number) + 2;
    const last = turnedBy(noisy(changed, 0.02, seed + 5), anyTurn(4, seed + 20));
    const { distances, away, among } = comparePairs([...models, last], displacements);
    const moved = movedItems({ away, among });
    for (const row of [0, 7])
      expect(away[row]).toBeCloseTo(
        models.reduce((sum, one) => sum + (displacements(one, last)[row] as number) / 3, 0),
        12,
      );
    expect([moved[0]?.row, moved[1]?.row].sort((a = 0, b = 0) => a - b)).toEqual([7, 31]);
    expect((moved[0]?.share ?? 0) + (moved[1]?.share ?? 0)).toBeGreaterThan(0.2);
    expect(moved.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    const segments = movedSegments(moved, (row) => (row === 7 || row === 31 ? 'hats' : 'shoes'));
    expect(segments.find(({ segment }) => segment === 'hats')).toMatchObject({ items: 2 });
    // The model that moved is beyond what the others differ by; one of these is not.

    expect(beyondRetraining(distances, { model: 3, others: [0, 1, 2] })).toMatchObject({ p: expect.toSatisfy((p: number) => p < 0.02), retrainings: 3 });
    expect(beyondRetraining(distances, { model: 3, others: [0, 1, 2] }).ratio).toBeGreaterThan(2);
    const same = comparePairs([...models, models[0] as Vectors], displacements).distances;
    expect(beyondRetraining(same, { model: 3, others: [0, 1, 2] }).p).toBeGreaterThan(0.05);
  });

  it('answers: the share that two lists do not have in common', () => {
    expect(answersChange(['a', 'b', 'c'], ['c', 'b', 'a'])).toBe(0);
    expect(answersChange(['a', 'b'], ['b', 'c'])).toBeCloseTo(2 / 3, 12);
    expect(answersChange([], [])).toBe(0);
  });
});

/** Distances of trainings of which each has a luck of its own. */
const pairsOf = (luck: readonly number[], noise: () => number = () => 0): number[][] => {
  const distances = luck.map(() => new Array<number>(luck.length).fill(0));
  for (let a = 0; a < luck.length; a += 1)
    for (let b = 0; b < a; b += 1) {
      const away = 20 + (luck[a] as number) + (luck[b] as number) + noise();
      (distances[a] as number[])[b] = away;
      (distances[b] as number[])[a] = away;
    }
  return distances;
};

describe('the noise of retraining', () => {
  it('has the level it says, for distances of trainings that are alike', () => {
    const of = 600;
    let alarms = 0;
    for (let replication = 0; replication < of; replication += 1) {
      const normal = normals(createRandom(seed + replication));
      const distances = pairsOf(
        [0, 1, 2, 3].map(() => normal()),
        () => 0.5 * normal(),
      );
      if (beyondRetraining(distances, { model: 3, others: [0, 1, 2] }).p <= 0.05) alarms += 1;
    }
    // 30, give or take five deviations of 5.3.
    expect(alarms).toBeGreaterThan(3);
    expect(alarms).toBeLessThan(57);
  });

  it('beside 19 others has it where one training of twelve ends elsewhere, too', () => {
    const of = 400;
    let alarms = 0;
    for (let replication = 0; replication < of; replication += 1) {
      const random = createRandom(seed + replication);
      const luck = Array.from({ length: 20 }, () => random.float() + (random.float() < 1 / 12 ? 20 : 0));
      if (beyondRetraining(pairsOf(luck), { model: 19, others: Array.from({ length: 19 }, (_, at) => at) }).p <= 0.05) alarms += 1;
    }
    // At most 20, give or take five deviations of 4.4.
    expect(alarms).toBeLessThan(42);
  });

  it("Student's tail, from tables; trainings that come out the same leave no noise", () => {
    for (const [freedom, t] of [
      [1, 6.3138],
      [2, 2.92],
      [3, 2.3534],
      [4, 2.1318],
      [5, 2.015],
      [10, 1.8125],
    ] as const) {
      expect(studentAbove(t, freedom)).toBeCloseTo(0.05, 4);
      expect(studentAbove(-t, freedom)).toBeCloseTo(0.95, 4);
    }
    const alike = [
      [0, 1, 2],
      [1, 0, 2],
      [2, 2, 0],
    ];
    expect(beyondRetraining(alike, { model: 2, others: [0, 1] }).p).toBe(0);
    expect(
      beyondRetraining(
        alike.map((row) => row.map(() => 1)),
        { model: 2, others: [0, 1] },
      ),
    ).toMatchObject({ p: 1, ratio: 1 });
    // Where another is as far, by rank.
    expect(beyondRetraining(pairsOf([0, 0, 0, 5, 5]), { model: 4, others: [0, 1, 2, 3] }).p).toBeGreaterThanOrEqual(0.4);
    expect(() => beyondRetraining(alike, { model: 2, others: [0] })).toThrow('needs 2 trainings');
  });
});

it('a change of daily sums, with an interval that holds in 95 of 100', () => {
  expect(changeOfDays([1, 1, 1], [2, 2, 2])).toMatchObject({ value: expect.closeTo(1, 12), low: expect.closeTo(1, 12), high: expect.closeTo(1, 12) });
  expect(changeOfDays([0, 0], [1, 1])).toBeNull();
  expect(changeOfDays([1], [1])).toBeNull();
  expect(changeOfDays([1, 2], [0, 0])).toMatchObject({ value: -1 });
  let held = 0;
  for (let replication = 0; replication < 400; replication += 1) {
    const normal = normals(createRandom(seed + replication));
    const days = (mean: number) => Array.from({ length: 14 }, () => mean * (1 + 0.2 * normal()));
    const change = changeOfDays(days(100), days(130));
    if (change !== null && change.low <= 0.3 && change.high >= 0.3) held += 1;
  }
  expect(held / 400).toBeGreaterThan(0.89);
});
