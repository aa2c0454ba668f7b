import type { AuditItem, AuditStatus } from '../../models/contracts/audit.ts';

type Claim = {
  value: number | null;
  interval?: { low: number; high: number } | undefined;
  min?: number | undefined;
  max?: number | undefined;
  /** What it was when the choice was made, with its interval. */
  then?: { value: number; interval?: { low: number; high: number } | undefined } | undefined;
};

/** Share of the way from what was measured once to the bound, from which on a value is at the edge. */
const edge = 0.8;

/**
 * Does a claim `min <= value <= max` still hold? Broken: the whole interval lies outside. Weakened: the value does, or its interval reaches outside, or it has gone most of the
 * way from what it was to a bound. Where all that there is was counted, the value is its own interval.
 */
export function judgeClaim({ value, interval, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, then }: Claim): AuditStatus {
  if (value === null) return 'not-measured';
  const { low, high } = interval ?? { low: value, high: value };
  if (high < min || low > max) return 'broken';
  if (value < min || value > max || low < min || high > max) return 'weakened';
  if (then === undefined || then.value < min || then.value > max) return 'holds';
  const bound = value < then.value ? min : max;
  const way = Number.isFinite(bound) && bound !== then.value ? (value - then.value) / (bound - then.value) : 0;
  const isMoved = then.interval !== undefined && interval !== undefined && (high < then.interval.low || low > then.interval.high);
  return way >= edge && (isMoved || then.interval === undefined) ? 'weakened' : 'holds';
}

export const boundsOf = ({ min, max }: { min?: number | undefined; max?: number | undefined }): AuditItem['bounds'] =>
  min === undefined && max === undefined ? null : { min: min ?? null, max: max ?? null };

/** A count that should be none. */
export function countItem({ id, claim, count, says, allowed = 0 }: { id: string; claim: string; count: number; says: string; allowed?: number }): AuditItem {
  return { id, claim, status: count > allowed ? 'broken' : 'holds', says, value: count, unit: 'count', interval: null, bounds: { min: null, max: allowed } };
}

export const notMeasured = ({ id, claim, why }: { id: string; claim: string; why: string }): AuditItem => ({
  id,
  claim,
  status: 'not-measured',
  says: why,
  value: null,
  unit: null,
  interval: null,
  bounds: null,
});
