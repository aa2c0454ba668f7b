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

/** Between two steps; a million rows take tens of seconds. */
const rowsPerStep = 20_000;

type Input = Points & { rows: number; cellItems: number; padding: number; seed: number };
type Cutting = Points & { cellItems: number; random: Random; ranker: NearestCentroids };
/** Stops where others may have their turn. */
type Steps<T> = Generator<undefined, T, undefined>;

/**
 * Cuts rows into cells of like vectors by k-means of k-means: all rows into parts, each part into smaller ones, until none holds more than `cellItems`. Then
 * each row goes to the nearest of the cells of the parts near to it, since a part's border may have cut it off from its like; and what is too full is cut
 * again. The same input and seed give the same cells.
 * @param vectors float32 [rows, width] at least
 */
export function cutIntoCells(input: Input): Cells {
  const steps = cutting(input);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** The same, with `onStep` after each bit of work: the place for heartbeats. */
export async function cutIntoCellsStepwise(input: Input, onStep: () => Promise<void> | void): Promise<Cells> {
  const steps = cutting(input);
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) await onStep();
  return step.value;
}

function* cutting({ vectors, width, rows, cellItems, padding, seed }: Input): Steps<Cells> {
  const points = { vectors, width };
  const tools: Cutting = { ...points, cellItems, random: createRandom(seed), ranker: new NearestCentroids(points) };
  const all = Uint32Array.from({ length: rows }, (_, row) => row);
  const parts = rows <= cellItems ? [all] : yield* cut(tools, all);
  const byPart: Uint32Array[][] = [];
  for (const part of parts) byPart.push(yield* cutUp(tools, [part]));
  const cells = yield* cutUp(tools, yield* toNearest(tools, all, byPart));
  const members = new Int32Array(cells.length * cellItems).fill(padding);
  for (const [cell, part] of cells.entries()) members.set(part, cell * cellItems);
  return { members, centroids: meansOf(points, cells), count: cells.length };
}

/** In their order; each that is too full in the place of which stand those that it is cut into. */
function* cutUp(tools: Cutting, parts: readonly Uint32Array[]): Steps<Uint32Array[]> {
  const cells: Uint32Array[] = [];
  for (const part of parts) {
    if (part.length <= tools.cellItems) cells.push(part);
    else for (const cell of yield* cutUp(tools, yield* cut(tools, part))) cells.push(cell);
  }
  return cells;
}

/** Each in the order of its rows; none is empty, and there are two at least. */
function* cut(tools: Cutting, part: Uint32Array): Steps<Uint32Array[]> {
  const { ranker, random, cellItems } = tools;
  const parts = Math.min(partsAtMost, Math.ceil(part.length / (aimedFill * cellItems)));
  const sample = sampleOf(part, parts * samplesPerPart, random);
  let centroids = meansOf(
    tools,
    Array.from(sampleOf(sample, parts, random), (row) => Uint32Array.of(row)),
  );
  for (let sweep = 0; sweep < sweeps; sweep += 1) centroids = meansOf(tools, grouped(sample, ranker.nearest(sample, centroids)));
  const nearest = new Uint32Array(part.length);
  for (let from = 0; from < part.length; from += rowsPerStep) {
    nearest.set(ranker.nearest(part.subarray(from, from + rowsPerStep), centroids), from);
    yield;
  }
  const found = grouped(part, nearest);
  // All alike: any half is as good as another.
  return found.length > 1 ? found : [part.slice(0, part.length >> 1), part.slice(part.length >> 1)];
}

/** Those of each cell that are nearer to it than to any other of the parts near to them. @param byPart cells of each part */
function* toNearest(tools: Cutting, all: Uint32Array, byPart: readonly Uint32Array[][]): Steps<Uint32Array[]> {
  const { ranker } = tools;
  const parts = byPart.map((cells) => Uint32Array.from(cells.flatMap((cell) => [...cell])));
  const middles = meansOf(tools, parts);
  const near: number[][] = parts.map(() => []);
  for (let from = 0; from < all.length; from += rowsPerStep) {
    ranker.forEach(all.subarray(from, from + rowsPerStep), middles, (place, distances) => {
      for (let taken = 0; taken < Math.min(partsNear, distances.length); taken += 1) {
        const part = leastOf(distances);
        near[part]?.push(from + place);
        distances[part] = Number.POSITIVE_INFINITY;
      }
    });
    yield;
  }
  const cellOf = new Uint32Array(all.length);
  const least = new Float32Array(all.length).fill(Number.POSITIVE_INFINITY);
  let first = 0;
  for (const [part, cells] of byPart.entries()) {
    const rows = Uint32Array.from(near[part] ?? []);
    const before = first;
    ranker.forEach(rows, meansOf(tools, cells), (place, distances) => {
      const row = rows[place] as number;
      const cell = leastOf(distances);
      if ((distances[cell] as number) >= (least[row] as number)) return;
      least[row] = distances[cell] as number;
      cellOf[row] = before + cell;
    });
    first += cells.length;
    yield;
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
