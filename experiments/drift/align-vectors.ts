import type { Vectors } from './vectors.ts';

/**
 * `vectors`, turned so that its `rows` come as close as a rotation (or reflection) brings them to the same rows of `onto`. Two trainings of one factor model on
 * the same data differ by such a turn, which is no drift.
 *
 * Orthogonal Procrustes: of M = AᵀB = U S Vᵀ the turn is U Vᵀ (Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 31,
 * 1966). Nothing is moved or scaled: where the cloud lies and how large it is are what drift is about.
 */
export function alignVectors(vectors: Vectors, { onto, rows }: { onto: Vectors; rows: ArrayLike<number> }): Vectors {
  return turned(vectors, turnOnto(vectors, { onto, rows }));
}

/** @returns [dimensions, dimensions], row-major: row vectors are multiplied by it from the right */
export function turnOnto(vectors: Vectors, { onto, rows }: { onto: Vectors; rows: ArrayLike<number> }): Float64Array {
  const width = vectors.dimensions;
  if (onto.dimensions !== width) throw new RangeError(`vectors of ${width} dimensions cannot be turned onto ones of ${onto.dimensions}`);
  const cross = new Float64Array(width * width);
  for (let at = 0; at < rows.length; at += 1) {
    const row = (rows[at] as number) * width;
    for (let i = 0; i < width; i += 1) {
      const value = vectors.values[row + i] as number;
      for (let j = 0; j < width; j += 1) cross[i * width + j] = (cross[i * width + j] as number) + value * (onto.values[row + j] as number);
    }
  }
  return orthogonalFactor(cross, width);
}

export function turned({ count, dimensions: width, values }: Vectors, turn: Float64Array): Vectors {
  const result = new Float64Array(values.length);
  for (let row = 0; row < count * width; row += width)
    for (let i = 0; i < width; i += 1) {
      const value = values[row + i] as number;
      if (value === 0) continue;
      for (let j = 0; j < width; j += 1) result[row + j] = (result[row + j] as number) + value * (turn[i * width + j] as number);
    }
  return { count, dimensions: width, values: result };
}

/**
 * U Vᵀ of a square matrix by one-sided Jacobi (Hestenes, "Inversion of matrices by biorthogonalization", J. SIAM 6, 1958): pairs of columns are turned until
 * all are orthogonal, M V = U S. Directions that M says nothing of get the nearest that is left.
 */
function orthogonalFactor(matrix: Float64Array, width: number): Float64Array {
  // Columns one behind the other.
  const columns = Array.from({ length: width }, (_, j) => Float64Array.from({ length: width }, (_, i) => matrix[i * width + j] as number));
  const right = Array.from({ length: width }, (_, j) => Float64Array.from({ length: width }, (_, i) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 60; sweep += 1) {
    let turns = 0;
    for (let p = 0; p < width - 1; p += 1) for (let q = p + 1; q < width; q += 1) turns += turnPair(columns, right, p, q) ? 1 : 0;
    if (turns === 0) break;
  }
  const left = orthonormal(columns);
  const factor = new Float64Array(width * width);
  for (let k = 0; k < width; k += 1)
    for (let i = 0; i < width; i += 1)
      for (let j = 0; j < width; j += 1) factor[i * width + j] = (factor[i * width + j] as number) + (left[k]?.[i] as number) * (right[k]?.[j] as number);
  return factor;
}

function turnPair(columns: Float64Array[], right: Float64Array[], p: number, q: number): boolean {
  const [a, b] = [columns[p] as Float64Array, columns[q] as Float64Array];
  const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
  if (Math.abs(ab) <= 1e-14 * Math.sqrt(aa * bb)) return false;
  const zeta = (bb - aa) / (2 * ab);
  const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const cosine = 1 / Math.hypot(1, tangent);
  for (const [x, y] of [
    [a, b],
    [right[p] as Float64Array, right[q] as Float64Array],
  ] as const)
    for (let i = 0; i < x.length; i += 1) {
      const [xi, yi] = [x[i] as number, y[i] as number];
      x[i] = cosine * (xi - tangent * yi);
      y[i] = cosine * (tangent * xi + yi);
    }
  return true;
}

/** Columns to length 1; those of length 0 become what is orthogonal to all others. */
function orthonormal(columns: readonly Float64Array[]): Float64Array[] {
  const largest = Math.max(...columns.map((column) => Math.sqrt(dot(column, column))));
  const done: Float64Array[] = [];
  const isKnown = (column: Float64Array) => Math.sqrt(dot(column, column)) > 1e-12 * largest;
  const unit = columns.map((column) => {
    if (!isKnown(column)) return undefined;
    const length = Math.sqrt(dot(column, column));
    const one = column.map((value) => value / length);
    done.push(one);
    return one;
  });
  return unit.map((column) => {
    if (column !== undefined) return column;
    const one = orthogonalTo(done, columns.length);
    done.push(one);
    return one;
  });
}

/** Of the axes without their parts along `others`, the longest, to length 1. */
function orthogonalTo(others: readonly Float64Array[], width: number): Float64Array {
  let best = new Float64Array(width);
  for (let axis = 0; axis < width; axis += 1) {
    const one = new Float64Array(width);
    one[axis] = 1;
    // Twice: once leaves what rounding leaves.
    for (const other of [...others, ...others]) {
      const along = dot(one, other);
      for (let i = 0; i < width; i += 1) one[i] = (one[i] as number) - along * (other[i] as number);
    }
    if (dot(one, one) > dot(best, best)) best = one;
  }
  const length = Math.sqrt(dot(best, best));
  return best.map((value) => value / length);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
