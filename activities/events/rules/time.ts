import type { RecordRule } from './record-rule.ts';

/** The last millisecond whose calendar day has a four-digit year in every time zone. */
const latestMs = 253_402_214_399_999;

export const missingTime: RecordRule = {
  name: 'missing-time',
  breaksSql: '(at_ms IS NULL)',
  breaks: (row) => row.atMs === null,
};

export const timeOutOfRange: RecordRule = {
  name: 'time-out-of-range',
  breaksSql: `(at_ms IS NOT NULL AND (at_ms < 0 OR at_ms > ${latestMs}))`,
  breaks: (row) => row.atMs !== null && (row.atMs < 0 || row.atMs > latestMs),
};
