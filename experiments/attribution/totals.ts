import type { Figures } from './deviations.ts';
import type { Leaves } from './leaves.ts';

type Values = { actual: number | null; predicted: number | null };

/** The whole that a table's leaves make. A ratio without a denominator is null. */
export type Totals = Values & {
  kind: 'sum' | 'ratio';
  change: number;
  /** Of the leaves in question. */
  of(leaves: Iterable<number>): Values;
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
  const of = (leaves: Iterable<number>): Values => {
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

/**
 * What a ratio counts, and what was to be expected of it at the predicted rates with the denominators there were: then rates alone make the two differ. Where no
 * rate was predicted, both are 0. Of successes among whole numbers of trials, the noise is that of counting at least; and where more than half succeed, it is the
 * failures that are counted: rates near 1 err to one side only, failures by as much as there are few of them. The predicted rate counts as one of so many trials as its denominator.
 */
export function countsOfRatio({ columns }: Leaves): Required<Figures> & { isCounted: boolean } {
  const [numerator, denominator, predictedNumerator, predictedDenominator] = columns as [Float64Array, Float64Array, Float64Array, Float64Array];
  const isWithin = (part: Float64Array, whole: Float64Array) => part.every((value, leaf) => value >= 0 && value <= (whole[leaf] as number));
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  const isCounted =
    numerator.every(Number.isInteger) &&
    denominator.every(Number.isInteger) &&
    isWithin(numerator, denominator) &&
    isWithin(predictedNumerator, predictedDenominator);
  const areFailures = isCounted && 2 * sum(predictedNumerator) > sum(predictedDenominator);
  const counted = (part: Float64Array, whole: Float64Array) => (areFailures ? whole.map((value, leaf) => value - (part[leaf] as number)) : part);
  const times = denominator.map((value, leaf) => (value === 0 || predictedDenominator[leaf] === 0 ? 0 : value / (predictedDenominator[leaf] as number)));
  return {
    actual: counted(numerator, denominator).map((value, leaf) => (times[leaf] === 0 ? 0 : value)),
    predicted: counted(predictedNumerator, predictedDenominator).map((value, leaf) => value * (times[leaf] as number)),
    doubt: times.map((value) => 1 + value),
    isCounted,
  };
}
