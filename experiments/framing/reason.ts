import type { Measurement } from '../../models/contracts/assumption.ts';

/** Why a choice was made: a measured value, and where it would have to go for the choice to be another one. */
export type Reason = {
  claim: string;
  measured: Measurement;
  /** Within these the choice stands; one of them at least is there. */
  min?: number;
  max?: number;
};

/** A choice, where it stands in the charter, and its reasons. */
export type Recommendation<Choice> = {
  /** JSON pointer into the charter. */
  path: string;
  choice: Choice;
  says: string;
  reasons: Reason[];
  /** What speaks neither way: what could not be measured, and what follows. */
  notes: string[];
};

/** Is the value at least the bound, at most it, or not known? A reason that says so, for the side that it is on. */
export function weigh({ measured, bound, above, below }: { measured: Measurement; bound: number; above: string; below: string }): {
  isAbove: boolean | null;
  reason: Reason[];
} {
  if (measured.value === null) return { isAbove: null, reason: [] };
  const isAbove = measured.value >= bound;
  return { isAbove, reason: [isAbove ? { claim: above, measured, min: bound } : { claim: below, measured, max: bound }] };
}

/**
 * How far the value is from where the choice tips, as a share of that bound (of 1 where the bound is 0), and whether its whole interval lies on the same side.
 * `holds` is false where the value lies beyond.
 */
export function tippingOf({ measured, min, max }: Reason): { holds: boolean; bound: number; distance: number; sure: boolean } {
  const value = measured.value ?? Number.NaN;
  const { low, high } = measured.interval ?? { low: value, high: value };
  const toMin = min === undefined ? Number.POSITIVE_INFINITY : value - min;
  const toMax = max === undefined ? Number.POSITIVE_INFINITY : max - value;
  const bound = (toMin <= toMax ? min : max) ?? Number.NaN;
  const distance = Math.min(toMin, toMax) / (Math.abs(bound) || 1);
  return { holds: distance >= 0, bound, distance, sure: (min === undefined || low >= min) && (max === undefined || high <= max) };
}
