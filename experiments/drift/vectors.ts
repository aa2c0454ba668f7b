/** [count, dimensions], one row behind the other. */
export type Vectors = { count: number; dimensions: number; values: Float64Array };

export function vectorsOf(rows: readonly (readonly number[])[]): Vectors {
  return { count: rows.length, dimensions: rows[0]?.length ?? 0, values: Float64Array.from(rows.flat()) };
}

/** @param rows places in `vectors` */
export function pick({ dimensions, values }: Vectors, rows: ArrayLike<number>): Vectors {
  const picked = new Float64Array(rows.length * dimensions);
  for (let at = 0; at < rows.length; at += 1) {
    const row = rows[at] as number;
    picked.set(values.subarray(row * dimensions, (row + 1) * dimensions), at * dimensions);
  }
  return { count: rows.length, dimensions, values: picked };
}

/** The rows of both, `from` first. */
export function pooled(from: Vectors, to: Vectors): Vectors {
  if (from.dimensions !== to.dimensions) throw new RangeError(`vectors of ${from.dimensions} and of ${to.dimensions} dimensions cannot be compared`);
  const values = new Float64Array(from.values.length + to.values.length);
  values.set(from.values);
  values.set(to.values, from.values.length);
  return { count: from.count + to.count, dimensions: from.dimensions, values };
}

/** Each dimension to mean 0 and deviation 1; one that never changes is 0. */
export function standardized({ count, dimensions, values }: Vectors): Vectors {
  const scaled = new Float64Array(values.length);
  for (let dimension = 0; dimension < dimensions; dimension += 1) {
    let [mean, squares] = [0, 0];
    for (let at = dimension; at < values.length; at += dimensions) mean += (values[at] as number) / count;
    for (let at = dimension; at < values.length; at += dimensions) squares += ((values[at] as number) - mean) ** 2;
    const scale = Math.sqrt(squares / count);
    if (scale <= 1e-12 * Math.abs(mean)) continue;
    for (let at = dimension; at < values.length; at += dimensions) scaled[at] = ((values[at] as number) - mean) / scale;
  }
  return { count, dimensions, values: scaled };
}

/** Rows by their value in one dimension, equal values in the order of their rows; and the first and the last place, by place, of what is equal to it. */
export type Order = { rows: Uint32Array; firsts: Uint32Array; lasts: Uint32Array };

export function orderOf({ count, dimensions, values }: Vectors, dimension: number): Order {
  const own = Float64Array.from({ length: count }, (_, row) => values[row * dimensions + dimension] as number);
  // Numbers alone sort several times as fast as rows by a comparison.
  const sorted = own.toSorted();
  const [rows, firsts, lasts, taken] = [new Uint32Array(count), new Uint32Array(count), new Uint32Array(count), new Uint32Array(count)];
  for (let first = 0; first < count; ) {
    let last = first;
    while (last + 1 < count && sorted[last + 1] === sorted[first]) last += 1;
    firsts.fill(first, first, last + 1);
    lasts.fill(last, first, last + 1);
    first = last + 1;
  }
  for (let row = 0; row < count; row += 1) {
    let [low, high] = [0, count - 1];
    const value = own[row] as number;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    rows[low + (taken[low] as number)] = row;
    taken[low] = (taken[low] as number) + 1;
  }
  return { rows, firsts, lasts };
}

/** Each dimension as the rank of its values among all rows, from 0 to 1, equal values in the middle of theirs: a long tail weighs no more than a short one. */
export function ranked(vectors: Vectors): Vectors {
  const { count, dimensions } = vectors;
  const ranks = new Float64Array(count * dimensions);
  for (let dimension = 0; dimension < dimensions; dimension += 1) {
    const { rows, firsts, lasts } = orderOf(vectors, dimension);
    for (let place = 0; place < count; place += 1)
      ranks[(rows[place] as number) * dimensions + dimension] = ((firsts[place] as number) + (lasts[place] as number)) / 2 / Math.max(1, count - 1);
  }
  return { count, dimensions, values: ranks };
}

/** The first `first` rows, and the others. */
export function parted({ count, dimensions, values }: Vectors, first: number): [Vectors, Vectors] {
  const cut = first * dimensions;
  return [
    { count: first, dimensions, values: values.subarray(0, cut) },
    { count: count - first, dimensions, values: values.subarray(cut) },
  ];
}

/** Euclidean, between row `a` of one and row `b` of the other. */
export function distance(one: Vectors, a: number, other: Vectors, b: number): number {
  let squares = 0;
  const [from, to] = [a * one.dimensions, b * other.dimensions];
  for (let place = 0; place < one.dimensions; place += 1) {
    const difference = (one.values[from + place] as number) - (other.values[to + place] as number);
    squares += difference * difference;
  }
  return Math.sqrt(squares);
}
