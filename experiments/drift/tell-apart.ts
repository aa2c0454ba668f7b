import type { Random } from '../../models/random.ts';
import { permutationP, placesTo, shuffle, usualPermutations } from './permutations.ts';
import { solved } from './solved.ts';
import { pick, pooled, standardized, type Vectors } from './vectors.ts';

/** `accuracy`: of held-out rows, the share whose side was told, both sides counting the same; 0.5 where they cannot be told apart. */
export type ClassifierTest = { accuracy: number; p: number; rows: [from: number, to: number] };

const newtonSteps = 4;
const ridge = 1;

/**
 * Can a classifier tell the rows of `from` from those of `to`? Classifier two-sample test (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR
 * 2017): a logistic model of each dimension and its square learns from one half, and is held to the other. The statistic is the difference of its mean logit
 * between the sides (Cheng and Cloninger, "Classification logit two-sample testing by neural networks", 2022) instead of the accuracy, which has few values in
 * small samples; its p-value is by permuting the sides of the held-out half, exact whatever was learned. One-sided: a model that is wrong more
 * often than by chance has seen rows that stand on both sides.
 */
export function tellApart(from: Vectors, to: Vectors, { random, permutations = usualPermutations }: { random: Random; permutations?: number }): ClassifierTest {
  const inputs = withSquares(standardized(pooled(from, to)));
  const halves = [
    { first: 0, count: from.count },
    { first: from.count, count: to.count },
  ].map(({ first, count }) => {
    const rows = shuffle(placesTo(count), random).map((row) => row + first);
    return { learned: rows.subarray(0, count >> 1), heldOut: rows.subarray(count >> 1) };
  });
  const [a, b] = halves as [(typeof halves)[0], (typeof halves)[0]];
  const counts: ClassifierTest['rows'] = [a.heldOut.length, b.heldOut.length];
  if (a.learned.length < 1 || b.learned.length < 1) return { accuracy: 0.5, p: 1, rows: counts };
  const coefficients = learn(pick(inputs, joined(a.learned, b.learned)), { first: a.learned.length });
  const logits = logitsOf(pick(inputs, joined(a.heldOut, b.heldOut)), coefficients);
  const order = placesTo(logits.length);
  const observed = difference(logits, order, a.heldOut.length);
  const drawn = Float64Array.from({ length: permutations }, () => difference(logits, shuffle(order, random), a.heldOut.length));
  const told = (side: Float64Array, isOf: (logit: number) => boolean) => side.filter(isOf).length / side.length;
  const accuracy = (told(logits.subarray(0, a.heldOut.length), (logit) => logit > 0) + told(logits.subarray(a.heldOut.length), (logit) => logit < 0)) / 2;
  return { accuracy, p: observed > 0 ? permutationP(observed, drawn) : 1, rows: counts };
}

function difference(logits: Float64Array, order: Uint32Array, first: number): number {
  let [one, other] = [0, 0];
  for (let at = 0; at < order.length; at += 1) {
    const logit = logits[order[at] as number] as number;
    if (at < first) one += logit;
    else other += logit;
  }
  return one / first - other / (order.length - first);
}

/** A 1 for the constant, each dimension, and each one's square. Beyond 4 deviations a value says no more. */
function withSquares({ count, dimensions, values }: Vectors): Vectors {
  const width = 1 + 2 * dimensions;
  const wide = new Float64Array(count * width);
  for (let row = 0; row < count; row += 1) {
    wide[row * width] = 1;
    for (let at = 0; at < dimensions; at += 1) {
      const value = Math.max(-4, Math.min(4, values[row * dimensions + at] as number));
      wide[row * width + 1 + at] = value;
      wide[row * width + 1 + dimensions + at] = (value * value - 1) / Math.SQRT2;
    }
  }
  return { count, dimensions: width, values: wide };
}

/** Logistic regression with a ridge, by Newton's steps; the first `first` rows are 1, the others 0, both sides of the same weight. */
function learn(rows: Vectors, { first }: { first: number }): Float64Array {
  const { count, dimensions: width } = rows;
  const coefficients = new Float64Array(width);
  for (let step = 0; step < newtonSteps; step += 1) {
    const curvature = new Float64Array(width * width);
    const slope = new Float64Array(width);
    for (let i = 0; i < width; i += 1) {
      curvature[i * width + i] = i === 0 ? 1e-6 : ridge;
      slope[i] = i === 0 ? 0 : -ridge * (coefficients[i] as number);
    }
    const logits = logitsOf(rows, coefficients);
    for (let row = 0; row < count; row += 1) {
      const weight = count / 2 / (row < first ? first : count - first);
      const probability = 1 / (1 + Math.exp(-(logits[row] as number)));
      const error = weight * ((row < first ? 1 : 0) - probability);
      const spread = weight * probability * (1 - probability);
      const at = row * width;
      for (let i = 0; i < width; i += 1) {
        const value = rows.values[at + i] as number;
        slope[i] = (slope[i] as number) + error * value;
        for (let j = 0; j <= i; j += 1) curvature[i * width + j] = (curvature[i * width + j] as number) + spread * value * (rows.values[at + j] as number);
      }
    }
    const change = solved(curvature, slope);
    for (let i = 0; i < width; i += 1) coefficients[i] = (coefficients[i] as number) + (change[i] as number);
  }
  return coefficients;
}

function logitsOf({ count, dimensions, values }: Vectors, coefficients: Float64Array): Float64Array {
  return Float64Array.from({ length: count }, (_, row) => {
    let sum = 0;
    for (let at = 0; at < dimensions; at += 1) sum += (values[row * dimensions + at] as number) * (coefficients[at] as number);
    return sum;
  });
}

function joined(one: Uint32Array, other: Uint32Array): Uint32Array {
  const all = new Uint32Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}
