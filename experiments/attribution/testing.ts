import type { Random } from '../../models/random.ts';
import type { Suspect } from './attribute-change.ts';
import { normal, type TableSettings } from './generate-table.ts';
import type { ChangeTable, Dimension, Measure } from './leaves.ts';

/** All combinations of so many values of each dimension: a0, a1, ... of a, b0, ... of b. */
export function grid(values: readonly number[]): Dimension[] {
  const count = values.reduce((product, one) => product * one, 1);
  let below = 1;
  return values.map((many, dimension) => {
    const step = below;
    below *= many;
    const name = `${String.fromCharCode(97 + (dimension % 26))}${dimension < 26 ? '' : Math.floor(dimension / 26)}`;
    return {
      name,
      values: Array.from({ length: many }, (_, code) => `${name}${code}`),
      codes: Int32Array.from({ length: count }, (_, leaf) => Math.floor(leaf / step) % many),
    };
  });
}

/** Rows as objects: all that is no measure is a dimension. */
export function tableOf(rows: readonly (Record<string, string | null> & { actual?: never })[], measure: Measure): ChangeTable {
  const names = Object.keys(rows[0] ?? {});
  return {
    dimensions: names.map((name) => {
      const values = [...new Set(rows.map((row) => row[name] ?? null))];
      return { name, values, codes: Int32Array.from(rows, (row) => values.indexOf(row[name] ?? null)) };
    }),
    measure,
  };
}

export const sum = (actual: Iterable<number>, predicted: Iterable<number>): Measure => ({
  kind: 'sum',
  actual: Float64Array.from(actual),
  predicted: Float64Array.from(predicted),
});

export const placesOf = (suspects: readonly Suspect[]): string[] =>
  suspects
    .map(({ where }) =>
      Object.entries(where)
        .map(([name, value]) => `${name}=${value}`)
        .join('&'),
    )
    .sort();

/** Whole numbers around an expectation. */
export function poisson(random: Random, mean: number): number {
  if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.float(); product > limit; product *= random.float()) count += 1;
  return count;
}

/** A table like the published ones, with three causes that any method ought to find. */
export const plainTable: Omit<TableSettings, 'seed'> = {
  values: [8, 10, 6],
  filled: 1,
  empty: 0.2,
  causes: 3,
  attributes: [1, 2],
  alike: false,
  severity: [0.5, 1],
  unevenness: 0,
  noise: 0.03,
  kind: 'sum',
  oneDirection: false,
};
