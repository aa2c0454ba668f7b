import type { RowRule, RuleContext, RuleRow } from './record-rule.ts';

/** The last millisecond whose calendar day has a four-digit year in every time zone. */
const latestMs = 253_402_214_399_999;

export const timeRules: RowRule[] = [
  {
    name: 'missing-time',
    breaksSql: () => '(at_ms IS NULL)',
    breaks: (row) => row.atMs === null,
  },
  {
    name: 'time-out-of-range',
    breaksSql: () => `(at_ms IS NOT NULL AND (at_ms < 0 OR at_ms > ${latestMs}))`,
    breaks: (row) => row.atMs !== null && (row.atMs < 0 || row.atMs > latestMs),
  },
];

const knownAtSql = 'coalesce(received_ms, :now)';
const knownAt = (row: RuleRow, { nowMs = null }: RuleContext): number | null => row.receivedAtMs ?? nowMs;

export const clockRules: RowRule[] = [
  {
    name: 'in-the-future',
    breaksSql: (limit) => `coalesce(at_ms > ${knownAtSql} + ${limit}, false)`,
    breaks: (row, context, limit) => {
      const at = knownAt(row, context);
      return row.atMs !== null && at !== null && row.atMs > at + limit;
    },
  },
  {
    name: 'too-late',
    breaksSql: (limit) => `coalesce(at_ms < ${knownAtSql} - ${limit}, false)`,
    breaks: (row, context, limit) => {
      const at = knownAt(row, context);
      return row.atMs !== null && at !== null && row.atMs < at - limit;
    },
  },
];
