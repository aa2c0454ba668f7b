import { createRandom, type Random } from '../../random.ts';

export type Cells = {
  /** int32 [cells, cellItems] rows of each cell, rising; what is left of a cell is `padding`. */
  members: Int32Array;
  /** float32 [cells, width] means of the members. */
  centroids: Float32Array;
  count: number;
};

/** A part is cut into so many at most: with fewer there are more levels, and what one of them cuts apart no later one brings together. */
const partsAtMost = 128;
/** Cells are aimed at this share of what they can hold, since parts come out unequal. */
const aimedFill = 0.7;
/** More of either takes longer, and finds no better cells to speak of. */
const sweeps = 3;
const samplesPerPart = 32;

type Points = { vectors: Float32Array; width: number };

/**
 * Cuts rows into cells of like vectors by k-means of k-means: all rows into parts, each part into smaller ones, until none holds more than `cellItems`.
 * The same input and seed give the same cells.
 * @param vectors float32 [rows, width] at least
 */
export function cutIntoCells(input: Points & { rows: number; cellItems: number; padding: number; seed: number }): Cells {
  const { vectors, width, rows, cellItems, padding } = input;
  const random = createRandom(input.seed);
  const cells: Uint32Array[] = [];
  const open: Uint32Array[] = [Uint32Array.from({ length: rows }, (_, row) => row)];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    if (part.length <= cellItems) cells.push(part);
    else open.push(...cut({ vectors, width }, part, { parts: Math.min(partsAtMost, Math.ceil(part.length / (aimedFill * cellItems))), random }));
  }
  const members = new Int32Array(cells.length * cellItems).fill(padding);
  const centroids = new Float32Array(cells.length * width);
  for (const [cell, part] of cells.entries()) {
    members.set(part, cell * cellItems);
    centroids.set(meanOf({ vectors, width }, part), cell * width);
  }
  return { members, centroids, count: cells.length };
}

/** Each in the order of its rows; none is empty, and there are two at least. */
function cut(points: Points, part: Uint32Array, { parts, random }: { parts: number; random: Random }): Uint32Array[] {
  const sample = sampleOf(part, parts * samplesPerPart, random);
  const centroids = startOf(points, sample, { parts, random });
  for (let sweep = 0; sweep < sweeps; sweep += 1) moveToMeans(points, sample, centroids);
  const nearest = nearestOf(points, part, centroids);
  const sizes = new Uint32Array(parts);
  for (const of of nearest) sizes[of] = (sizes[of] as number) + 1;
  const found = Array.from(sizes, (size) => new Uint32Array(size));
  const filled = new Uint32Array(parts);
  for (const [place, row] of part.entries()) {
    const of = nearest[place] as number;
    (found[of] as Uint32Array)[filled[of] as number] = row;
    filled[of] = (filled[of] as number) + 1;
  }
  const some = found.filter(({ length }) => length > 0);
  // All alike: any half is as good as another.
  return some.length > 1 ? some : [part.slice(0, part.length >> 1), part.slice(part.length >> 1)];
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

/** [parts, width]: some of the sample, at random. */
function startOf({ vectors, width }: Points, sample: Uint32Array, { parts, random }: { parts: number; random: Random }): Float64Array {
  const centroids = new Float64Array(parts * width);
  for (const [part, row] of sampleOf(sample, parts, random).entries()) centroids.set(vectors.subarray(row * width, (row + 1) * width), part * width);
  return centroids;
}

function moveToMeans(points: Points, sample: Uint32Array, centroids: Float64Array): void {
  const { vectors, width } = points;
  const parts = centroids.length / width;
  const sums = new Float64Array(centroids.length);
  const counts = new Uint32Array(parts);
  for (const [place, part] of nearestOf(points, sample, centroids).entries()) {
    const from = (sample[place] as number) * width;
    counts[part] = (counts[part] as number) + 1;
    for (let f = 0; f < width; f += 1) sums[part * width + f] = (sums[part * width + f] as number) + (vectors[from + f] as number);
  }
  for (let part = 0; part < parts; part += 1) {
    // A part that nobody is nearest to stays where it is.
    if (counts[part] === 0) continue;
    for (let f = part * width; f < (part + 1) * width; f += 1) centroids[f] = (sums[f] as number) / (counts[part] as number);
  }
}

/** Index of the nearest centroid of each row, by |c|^2 / 2 - x . c; ties to the lower one. */
function nearestOf({ vectors, width }: Points, rows: Uint32Array, centroids: Float64Array): Uint32Array {
  const parts = centroids.length / width;
  const halves = Float64Array.from({ length: parts }, (_, part) => {
    const centroid = centroids.subarray(part * width, (part + 1) * width);
    return dot(centroid, centroids, part * width) / 2;
  });
  // In double precision once, and not again for each centroid.
  const vector = new Float64Array(width);
  const nearest = new Uint32Array(rows.length);
  for (let place = 0; place < rows.length; place += 1) {
    const from = (rows[place] as number) * width;
    for (let f = 0; f < width; f += 1) vector[f] = vectors[from + f] as number;
    let least = Number.POSITIVE_INFINITY;
    for (let part = 0; part < parts; part += 1) {
      const distance = (halves[part] as number) - dot(vector, centroids, part * width);
      if (distance >= least) continue;
      least = distance;
      nearest[place] = part;
    }
  }
  return nearest;
}

/** Four sums side by side: one alone would wait for itself at each step. */
function dot(vector: Float64Array, centroids: Float64Array, from: number): number {
  const width = vector.length;
  const whole = width - (width % 4);
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let f = 0; f < whole; f += 4) {
    a += (vector[f] as number) * (centroids[from + f] as number);
    b += (vector[f + 1] as number) * (centroids[from + f + 1] as number);
    c += (vector[f + 2] as number) * (centroids[from + f + 2] as number);
    d += (vector[f + 3] as number) * (centroids[from + f + 3] as number);
  }
  for (let f = whole; f < width; f += 1) a += (vector[f] as number) * (centroids[from + f] as number);
  return a + b + (c + d);
}

function meanOf({ vectors, width }: Points, part: Uint32Array): Float64Array {
  const mean = new Float64Array(width);
  for (const row of part) for (let f = 0; f < width; f += 1) mean[f] = (mean[f] as number) + (vectors[row * width + f] as number) / part.length;
  return mean;
}
