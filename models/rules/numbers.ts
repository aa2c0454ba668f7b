import type { ContractRule } from '../contracts/record-rules.ts';
import type { RowRule } from './record-rule.ts';

type NumberField = 'quantity' | 'unitPriceMinor' | 'dwellMs' | 'rating' | 'position';
const outside = (name: ContractRule, column: string, field: NumberField, least: number, most: number): RowRule => ({
  name,
  // NOT BETWEEN, so that NaN, which DuckDB holds to be the largest number, is outside as well. Without NULL there is one question to ask.
  breaksSql: () => `(coalesce(${column}, ${least}) NOT BETWEEN ${least} AND ${most})`,
  breaks: (row) => {
    const value = row[field];
    return value !== null && !(value >= least && value <= most);
  },
});

export const numberRules: RowRule[] = [
  outside('bad-quantity', 'quantity', 'quantity', 1, 1_000_000),
  outside('bad-price', 'unit_price_minor', 'unitPriceMinor', 0, 1_000_000_000),
  outside('bad-dwell', 'dwell_ms', 'dwellMs', 0, 86_400_000),
  outside('bad-rating', 'rating', 'rating', 0, 5),
  outside('bad-position', 'position', 'position', 0, 999),
];
