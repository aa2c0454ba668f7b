import type { Spread } from '../../models/contracts/report.ts';

/**
 * One figure a metric of several splits, each counting alike, and how far they lie apart. Their train parts overlap, so that this is the spread between
 * splits and no error of the mean. A metric that a split lacks is left out.
 */
export function poolOrigins(splits: readonly Readonly<Record<string, number>>[]): Record<string, Spread> {
  const names = Object.keys(splits[0] ?? {}).filter((name) => splits.every((split) => split[name] !== undefined));
  return Object.fromEntries(
    names.map((name) => {
      const values = splits.map((split) => split[name] as number);
      const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
      const squares = values.reduce((sum, one) => sum + (one - mean) ** 2, 0);
      const deviation = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null;
      return [name, { mean, deviation, lowest: Math.min(...values), highest: Math.max(...values) }];
    }),
  );
}
