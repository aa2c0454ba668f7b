import { createRandom, type Random } from '../../random.ts';
import { leastOf, NearestCentroids, type Points } from './nearest-centroids.ts';

export type Cells = {
  /** int32 [cells, cellItems] rows of each cell, rising; what is left of a cell is `padding`. */
  members: Int32Array;
  /** float32 [cells, width] means of the members. */
  centroids: Float32Array;
  count: number;
};

/** A part is cut into so many at most. */
const partsAtMost = 128;
/** Cells are aimed at this share of what they can hold, since parts come out unequal. */
const aimedFill = 0.7;
/** More of either takes longer, and finds no better cells to speak of. */
const sweeps = 3;
const samplesPerPart = 32;
/** A row is compared with the cells of so many parts. */
const partsNear = 8;

type Cutting = Points & { cellItems: number; random: Random; ranker: NearestCentroids };

/**
 * Cuts rows into cells of like vectors by k-means of k-means: all rows into parts, each part into smaller ones, until none holds more than `cellItems`. Then
 * each row goes to the nearest of the cells of the parts near to it, since a part's border may have cut it off from its like; and what is too full is cut
 * again. The same input and seed give the same cells.
 * @param vectors float32 [rows, width] at least
 */
export function cutIntoCells(input: Points & { rows: number; cellItems: number; padding: number; seed: number }): Cells {
  const { vectors, width, rows, cellItems, padding, seed } = input;
  const cutting: Cutting = { vectors, width, cellItems, random: createRandom(seed), ranker: new NearestCentroids({ vectors, width }) };
  const all = Uint32Array.from({ length: rows }, (_, row) => row);
  const cutUp = (part: Uint32Array): Uint32Array[] => (part.length <= cellItems ? [part] : cut(cutting, part).flatMap(cutUp));
  const byPart = (rows <= cellItems ? [all] : cut(cutting, all)).map(cutUp);
  const cells = toNearest(cutting, all, byPart).flatMap(cutUp);
  const members = new Int32Array(cells.length * cellItems).fill(padding);
  for (const [cell, part] of cells.entries()) members.set(part, cell * cellItems);
  return { members, centroids: meansOf(cutting, cells), count: cells.length };
}

/** Each in the order of its rows; none is empty, and there are two at least. */
function cut(cutting: Cutting, part: Uint32Array): Uint32Array[] {
  const { ranker, random, cellItems } = cutting;
  const parts = Math.min(partsAtMost, Math.ceil(part.length / (aimedFill * cellItems)));
  const sample = sampleOf(part, parts * samplesPerPart, random);
  let centroids = meansOf(
    cutting,
    Array.from(sampleOf(sample, parts, random), (row) => Uint32Array.of(row)),
  );
  for (let sweep = 0; sweep < sweeps; sweep += 1) centroids = meansOf(cutting, grouped(sample, ranker.nearest(sample, centroids)));
  const found = grouped(part, ranker.nearest(part, centroids));
  // All alike: any half is as good as another.
  return found.length > 1 ? found : [part.slice(0, part.length >> 1), part.slice(part.length >> 1)];
}

/** Those of each cell that are nearer to it than to any other of the parts near to them. @param byPart cells of each part */
function toNearest(cutting: Cutting, all: Uint32Array, byPart: readonly Uint32Array[][]): Uint32Array[] {
  const { ranker } = cutting;
  const parts = byPart.map((cells) => Uint32Array.from(cells.flatMap((cell) => [...cell])));
  const near: number[][] = parts.map(() => []);
  ranker.forEach(all, meansOf(cutting, parts), (row, distances) => {
    for (let taken = 0; taken < Math.min(partsNear, distances.length); taken += 1) {
      const part = leastOf(distances);
      near[part]?.push(row);
      distances[part] = Number.POSITIVE_INFINITY;
    }
  });
  const cellOf = new Uint32Array(all.length);
  const least = new Float32Array(all.length).fill(Number.POSITIVE_INFINITY);
  let first = 0;
  for (const [part, cells] of byPart.entries()) {
    const rows = Uint32Array.from(near[part] ?? []);
    const before = first;
    ranker.forEach(rows, meansOf(cutting, cells), (place, distances) => {
      const row = rows[place] as number;
      const cell = leastOf(distances);
      if ((distances[cell] as number) >= (least[row] as number)) return;
      least[row] = distances[cell] as number;
      cellOf[row] = before + cell;
    });
    first += cells.length;
  }
  return grouped(all, cellOf);
}

/** By the number that each has, rising; without those that are empty. */
function grouped(rows: Uint32Array, numbers: Uint32Array): Uint32Array[] {
  const sizes = new Uint32Array(numbers.reduce((most, number) => Math.max(most, number), 0) + 1);
  for (const number of numbers) sizes[number] = (sizes[number] as number) + 1;
  const groups = Array.from(sizes, (size) => new Uint32Array(size));
  const filled = new Uint32Array(sizes.length);
  for (const [place, row] of rows.entries()) {
    const number = numbers[place] as number;
    (groups[number] as Uint32Array)[filled[number] as number] = row;
    filled[number] = (filled[number] as number) + 1;
  }
  return groups.filter(({ length }) => length > 0);
}

/** So many different ones at random (Floyd's algorithm), or all. */
function sampleOf(part: Uint32Array, size: number, random: Random): Uint32Array {
  if (part.length <= size) return part;
  const places = new Set<number>();
  for (let last = part.length - size; last < part.length; last += 1) {
    const drawn = random.below(last + 1);
    places.add(places.has(drawn) ? last : drawn);
  }
  return Uint32Array.from(places, (place) => part[place] as number).sort();
}

/** float32 [parts, width] */
function meansOf({ vectors, width }: Points, parts: readonly Uint32Array[]): Float32Array {
  const means = new Float32Array(parts.length * width);
  const sum = new Float64Array(width);
  for (const [index, part] of parts.entries()) {
    sum.fill(0);
    for (const row of part) for (let f = 0; f < width; f += 1) sum[f] = (sum[f] as number) + (vectors[row * width + f] as number);
    for (let f = 0; f < width; f += 1) means[index * width + f] = (sum[f] as number) / part.length;
  }
  return means;
}
