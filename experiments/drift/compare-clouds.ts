import type { Random } from '../../models/random.ts';
import { normals } from '../simulator/normals.ts';
import { permutationP, placesTo, shuffle, usualPermutations } from './permutations.ts';
import { distance, pick, pooled, type Vectors } from './vectors.ts';

/** `statistic`: 0 where the two are the same, never below; in the unit of the method. */
export type CloudTest = { method: 'energy' | 'mmd'; statistic: number; p: number; rows: [from: number, to: number] };

/** From so many rows in all on, pairs of rows are too many, and random features take their place. */
export const pairsUpTo = 1000;
const blocksASide = 100;
/** The larger side is of no more use beyond so many times the smaller. */
const timesSmaller = 4;
const frequencies = 64;
/** Bandwidths, as shares of the median distance between rows. */
const scales = [0.5, 1, 2];

/**
 * Are the rows of `from` and of `to` drawn from one distribution? The rows of the two must be of different entities: rows that stand in both make it blind.
 *
 * Up to 1,000 rows: energy distance 2 E|X−Y| − E|X−X'| − E|Y−Y'| (Székely and Rizzo, "Energy statistics", JSPI 143, 2013, eq. 6). Beyond: squared maximum mean
 * discrepancy of a mixture of three Gaussian kernels, ‖mean φ(X) − mean φ(Y)‖² over 64 random Fourier frequencies (Gretton et al., "A kernel two-sample test",
 * JMLR 13, 2012, lemma 4; Rahimi and Recht, "Random features for large-scale kernel machines", 2007; Zhao and Meng, "FastMMD", 2015), linear in the rows.
 *
 * The p-value is by permutation of blocks of rows that are put together at random, at least 100 a side (Domingo-Enrich, Dwivedi and Mackey, "Cheap permutation
 * testing", 2025): those permutations are a subgroup of all, so that the level is exact for any number of rows, and each costs the same.
 */
export function compareClouds(from: Vectors, to: Vectors, { random, permutations = usualPermutations }: { random: Random; permutations?: number }): CloudTest {
  const smaller = Math.min(from.count, to.count);
  if (smaller < 2) return { method: 'energy', statistic: 0, p: 1, rows: [from.count, to.count] };
  const perBlock = Math.max(1, Math.floor(smaller / blocksASide));
  const most = timesSmaller * smaller;
  const sides = [from, to].map((side) => {
    const rows = shuffle(placesTo(side.count), random);
    const blocks = Math.floor(Math.min(side.count, most) / perBlock);
    return { blocks, rows: pick(side, rows.subarray(0, blocks * perBlock)) };
  });
  const [one, other] = sides as [(typeof sides)[0], (typeof sides)[0]];
  const all = pooled(one.rows, other.rows);
  const method = all.count <= pairsUpTo ? 'energy' : 'mmd';
  const products = method === 'energy' ? distancesOfBlocks(all, perBlock) : productsOfBlocks(featuresOf(all, random), perBlock);
  const form = { products, blocks: one.blocks + other.blocks };
  const order = placesTo(form.blocks);
  const statisticOf = () => Math.max(0, quadratic(form, order, one.blocks));
  const statistic = statisticOf();
  const drawn = Float64Array.from({ length: permutations }, () => {
    shuffle(order, random);
    return statisticOf();
  });
  return { method, statistic, p: statistic < 1e-14 ? 1 : permutationP(statistic, drawn), rows: [one.rows.count, other.rows.count] };
}

/** wᵀ P w with w = 1 / blocks of its side for the first `first` blocks of `order`, and minus that for the others. */
function quadratic({ products, blocks }: { products: Float64Array; blocks: number }, order: Uint32Array, first: number): number {
  const weight = new Float64Array(blocks);
  for (let place = 0; place < blocks; place += 1) weight[order[place] as number] = place < first ? 1 / first : -1 / (blocks - first);
  let sum = 0;
  for (let a = 0; a < blocks; a += 1) {
    let row = 0;
    for (let b = 0; b < a; b += 1) row += (products[a * blocks + b] as number) * (weight[b] as number);
    sum += (2 * row + (products[a * blocks + a] as number) * (weight[a] as number)) * (weight[a] as number);
  }
  return sum;
}

/** [blocks, blocks] minus the mean distance between the rows of two blocks; a row's distance to itself counts. */
function distancesOfBlocks(rows: Vectors, perBlock: number): Float64Array {
  const blocks = rows.count / perBlock;
  const sums = new Float64Array(blocks * blocks);
  for (let a = 0; a < rows.count; a += 1)
    for (let b = 0; b < a; b += 1) {
      const [one, other] = [Math.floor(a / perBlock), Math.floor(b / perBlock)];
      const away = distance(rows, a, rows, b) / perBlock ** 2;
      sums[one * blocks + other] = (sums[one * blocks + other] as number) - away;
      sums[other * blocks + one] = (sums[other * blocks + one] as number) - away;
    }
  return sums;
}

/** [blocks, blocks] products of the mean features of two blocks. */
function productsOfBlocks(features: Vectors, perBlock: number): Float64Array {
  const blocks = features.count / perBlock;
  const width = features.dimensions;
  const means = new Float64Array(blocks * width);
  for (let row = 0; row < features.count; row += 1) {
    const block = Math.floor(row / perBlock) * width;
    for (let at = 0; at < width; at += 1) means[block + at] = (means[block + at] as number) + (features.values[row * width + at] as number) / perBlock;
  }
  const products = new Float64Array(blocks * blocks);
  for (let a = 0; a < blocks; a += 1)
    for (let b = 0; b <= a; b += 1) {
      let sum = 0;
      for (let at = 0; at < width; at += 1) sum += (means[a * width + at] as number) * (means[b * width + at] as number);
      products[a * blocks + b] = sum;
      products[b * blocks + a] = sum;
    }
  return products;
}

/** cos and sin of each frequency. The frequencies know the pooled rows alone, not which side they are of, so that permutations stay exact. */
function featuresOf(rows: Vectors, random: Random): Vectors {
  const median = medianDistance(rows, random) || 1;
  const normal = normals(random);
  const width = rows.dimensions;
  const values = new Float64Array(rows.count * 2 * frequencies);
  const scale = 1 / Math.sqrt(frequencies);
  for (let frequency = 0; frequency < frequencies; frequency += 1) {
    const bandwidth = median * (scales[frequency % scales.length] as number);
    const direction = Float64Array.from({ length: width }, () => normal() / bandwidth);
    for (let row = 0; row < rows.count; row += 1) {
      let angle = 0;
      for (let at = 0; at < width; at += 1) angle += (rows.values[row * width + at] as number) * (direction[at] as number);
      const place = (row * frequencies + frequency) * 2;
      values[place] = Math.cos(angle) * scale;
      values[place + 1] = Math.sin(angle) * scale;
    }
  }
  return { count: rows.count, dimensions: 2 * frequencies, values };
}

/** Of 500 pairs. Which pairs, and so the median, does not depend on the side that rows are of. */
function medianDistance(rows: Vectors, random: Random): number {
  const distances = Float64Array.from({ length: 500 }, () => distance(rows, random.below(rows.count), rows, random.below(rows.count))).sort();
  return distances[250] as number;
}
