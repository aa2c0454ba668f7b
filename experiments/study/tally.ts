/** How often an interval missed: the truth below it, the truth above it; and how wide it was in all. */
export type Misses = { count: number; below: number; above: number; width: number };
/** Sums of what estimates were off by, and of its squares. */
export type Deviation = { count: number; sum: number; squares: number };

export const noMisses = (): Misses => ({ count: 0, below: 0, above: 0, width: 0 });
export const noDeviation = (): Deviation => ({ count: 0, sum: 0, squares: 0 });

export function deviate(deviation: Deviation, by: number): void {
  deviation.count += 1;
  deviation.sum += by;
  deviation.squares += by * by;
}

export function miss(misses: Misses, { low, high }: { low: number; high: number }, truth: number): void {
  misses.count += 1;
  misses.width += high - low;
  if (truth < low) misses.below += 1;
  if (truth > high) misses.above += 1;
}

/** Numbers in objects, however deep. */
export type Sums = { [name: string]: number | Sums | undefined };

/** Adds what is at the same place; what is in one of the two only stays as it is. */
export function addSums<T>(one: T, other: T): T {
  const [left, right] = [one as Sums, other as Sums];
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  const add = (a: number | Sums | undefined, b: number | Sums | undefined): number | Sums | undefined => {
    if (a === undefined || b === undefined) return a ?? b;
    return typeof a === 'number' && typeof b === 'number' ? a + b : addSums(a as Sums, b as Sums);
  };
  return Object.fromEntries(names.map((name) => [name, add(left[name], right[name])])) as T;
}

export const coverageOf = ({ count, below, above }: Misses): number => 1 - (below + above) / count;
export const biasOf = ({ count, sum }: Deviation): number => sum / count;
export const rootMeanSquareOf = ({ count, squares }: Deviation): number => Math.sqrt(squares / count);
