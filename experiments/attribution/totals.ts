import type { Leaves } from './leaves.ts';

type Figures = { actual: number | null; predicted: number | null };

/** The whole that a table's leaves make. A ratio without a denominator is null. */
export type Totals = Figures & {
  kind: 'sum' | 'ratio';
  change: number;
  /** Of the leaves in question. */
  of(leaves: Iterable<number>): Figures;
  /** What the change of the whole would have been, had those leaves come out as predicted. */
  changeWithout(leaves: Iterable<number>): number;
};

export function totalsOf({ count, columns }: Leaves, kind: 'sum' | 'ratio'): Totals {
  const value = (sums: readonly number[], from: number): number | null => {
    if (kind === 'sum') return sums[from] as number;
    const denominator = sums[from + 1] as number;
    return denominator === 0 ? null : (sums[from] as number) / denominator;
  };
  const half = columns.length / 2;
  const sumsOf = (leaves: Iterable<number>): number[] => {
    const sums = columns.map(() => 0);
    for (const leaf of leaves) for (const [place, column] of columns.entries()) sums[place] = (sums[place] as number) + (column[leaf] as number);
    return sums;
  };
  const of = (leaves: Iterable<number>): Figures => {
    const sums = sumsOf(leaves);
    return { actual: value(sums, 0), predicted: value(sums, half) };
  };
  const whole = sumsOf(Array.from({ length: count }, (_, leaf) => leaf));
  const [actual, predicted] = [value(whole, 0), value(whole, half)];
  const against = (sums: readonly number[]): number => {
    const now = value(sums, 0);
    return now === null || predicted === null ? 0 : now - predicted;
  };
  return {
    kind,
    actual,
    predicted,
    change: against(whole),
    of,
    changeWithout(leaves) {
      const own = sumsOf(leaves);
      return against(whole.slice(0, half).map((sum, place) => sum - (own[place] as number) + (own[place + half] as number)));
    },
  };
}

/** Numerators of a ratio, and those to expect of the denominators there were at the predicted rates: then rates alone make them differ. Where no rate was predicted, both are 0. */
export function expectedNumerators({ columns }: Leaves): { actual: Float64Array; predicted: Float64Array } {
  const [numerator, denominator, predictedNumerator, predictedDenominator] = columns as [Float64Array, Float64Array, Float64Array, Float64Array];
  const isKnown = (leaf: number) => (denominator[leaf] as number) > 0 && (predictedDenominator[leaf] as number) > 0;
  return {
    actual: numerator.map((value, leaf) => (isKnown(leaf) ? value : 0)),
    predicted: predictedNumerator.map((value, leaf) => (isKnown(leaf) ? (value * (denominator[leaf] as number)) / (predictedDenominator[leaf] as number) : 0)),
  };
}
