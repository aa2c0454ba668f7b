import { alignVectors } from './align-vectors.ts';
import { placesTo } from './permutations.ts';
import { distance, type Vectors } from './vectors.ts';

/**
 * How far each item of one model lies from where it lies in the other, [count], behind the turn that brings the items of the two closest, in units of the geometric mean of
 * the two clouds' root mean square lengths: the same whichever of the two comes first.
 */
export function displacements(one: Vectors, other: Vectors): Float64Array {
  const aligned = alignVectors(one, { onto: other, rows: placesTo(other.count) });
  const scale = Math.sqrt(lengthOf(one) * lengthOf(other)) || 1;
  return Float64Array.from({ length: other.count }, (_, row) => distance(aligned, row, other, row) / scale);
}

const lengthOf = ({ count, values }: Vectors): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / count);

/** Of each asked item its `k` nearest by cosine among all, ties to the lower row. */
export function nearestItems(model: Vectors, { asked, k }: { asked: ArrayLike<number>; k: number }): number[][] {
  const scaled = unitLengths(model);
  return Array.from(asked, (item) => nearest(scaled, item, k));
}

/**
 * 1 − Jaccard of what is nearest to each asked item in two models, [asked]. Asks nothing of how their spaces lie: for networks, whose trainings differ by more than a turn.
 */
export function neighbourChanges(one: readonly (readonly number[])[], other: readonly (readonly number[])[]): Float64Array {
  return Float64Array.from(one, (own, at) => {
    const known = new Set(own);
    const shared = other[at]?.filter((neighbour) => known.has(neighbour)).length ?? 0;
    return 1 - shared / (2 * known.size - shared || 1);
  });
}

/** Share of the best `k` answers that two rankings of one request do not have in common (1 − Jaccard). */
export function answersChange(one: readonly string[], other: readonly string[]): number {
  const known = new Set(one);
  const shared = other.filter((item) => known.has(item)).length;
  const all = known.size + other.length - shared;
  return all === 0 ? 0 : 1 - shared / all;
}

function unitLengths({ count, dimensions, values }: Vectors): Vectors {
  const scaled = new Float64Array(values);
  for (let row = 0; row < count; row += 1) {
    const part = scaled.subarray(row * dimensions, (row + 1) * dimensions);
    const length = Math.hypot(...part);
    if (length > 0) for (let at = 0; at < dimensions; at += 1) part[at] = (part[at] as number) / length;
  }
  return { count, dimensions, values: scaled };
}

/** The `k` rows of the largest product with `item`, ties to the lower row, without itself. */
function nearest({ count, dimensions, values }: Vectors, item: number, k: number): number[] {
  const best: { row: number; product: number }[] = [];
  const own = item * dimensions;
  for (let row = 0; row < count; row += 1) {
    if (row === item) continue;
    let product = 0;
    for (let at = 0; at < dimensions; at += 1) product += (values[own + at] as number) * (values[row * dimensions + at] as number);
    const last = best.at(-1);
    if (best.length === k && last !== undefined && product <= last.product) continue;
    let place = best.length;
    while (place > 0 && (best[place - 1] as { product: number }).product < product) place -= 1;
    best.splice(place, 0, { row, product });
    if (best.length > k) best.pop();
  }
  return best.map(({ row }) => row);
}

/** `distances`: [models][models] means over entities. `away`, `among`: of each entity, means from the last model to the others, and of these from each other; `among` is null of one other. */
export type Pairs = { distances: number[][]; away: Float64Array; among: Float64Array | null };

/** What `between` says of each pair of models, entity by entity. The last is the one that is asked about. */
export function comparePairs<Model>(models: readonly Model[], between: (one: Model, other: Model) => Float64Array): Pairs {
  const distances = models.map(() => new Array<number>(models.length).fill(0));
  const last = models.length - 1;
  let away: Float64Array | null = null;
  let among: Float64Array | null = null;
  for (const [a, one] of models.entries())
    for (let b = 0; b < a; b += 1) {
      const found = between(one, models[b] as Model);
      const mean = found.reduce((sum, value) => sum + value, 0) / Math.max(1, found.length);
      (distances[a] as number[])[b] = mean;
      (distances[b] as number[])[a] = mean;
      if (a === last) away = added(away, found, last);
      else among = added(among, found, (last * (last - 1)) / 2);
    }
  return { distances, away: away ?? new Float64Array(0), among };
}

function added(sums: Float64Array | null, values: Float64Array, of: number): Float64Array {
  const all = sums ?? new Float64Array(values.length);
  for (let at = 0; at < values.length; at += 1) all[at] = (all[at] as number) + (values[at] as number) / of;
  return all;
}
