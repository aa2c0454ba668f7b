import { findCauses, type Found } from './find-causes.ts';
import { type ChangeTable, type Leaves, leavesOf } from './leaves.ts';
import { type Placed, placedSuspects } from './placed-suspects.ts';
import { countsOfRatio, type Totals, totalsOf } from './totals.ts';

/**
 * `where`: the attributes; {} is everything. `actual`, `predicted`: sum or ratio of the leaves under it. `change`: what of the whole's change would not be, had
 * its leaves come out as predicted, and `explained` the same as a share of that change, below 0 where it went the other way; null where the whole has not
 * changed. A leaf under several suspects counts for the one that fits it best. `score`: see `placedSuspects`. `effect`, of ratios: have its rates changed, or
 * only how much of the whole it is.
 */
export type Suspect = {
  where: Record<string, string | null>;
  score: number;
  explained: number | null;
  change: number;
  actual: number | null;
  predicted: number | null;
  effect?: 'rate' | 'volume';
};

/** `noise`: standard deviation that the noise of the leaves gives the whole. `unexplained`: share of the change that no suspect explains; null where there is none. */
export type Attribution = {
  measure: 'sum' | 'ratio';
  leaves: number;
  actual: number | null;
  predicted: number | null;
  change: number;
  noise: number;
  suspects: Suspect[];
  unexplained: number | null;
  note: string;
};

/** More are not looked for, whatever `atMost` says. */
const mostCauses = 30;
/** A shift of everything is named from this share of the change on; a smaller one is a drift of the forecast. */
const leastRootShare = 0.2;
/** Volumes are looked at where rates leave so much of the change unexplained, and named from that share on. */
const leastVolumeShare = 0.1;

/**
 * The smallest combinations of attributes that explain why a sum or a ratio is not as predicted, best first.
 * Finds none in 99 of 100 tables in which there is nothing but noise, as long as each leaf errs for itself.
 * @throws UND-INPUT for a table that is not one (see `leavesOf`)
 */
export function attributeChange(table: ChangeTable, { atMost = 10 }: { atMost?: number } = {}): Attribution {
  const leaves = leavesOf(table);
  const totals = totalsOf(leaves, table.measure.kind);
  const isRatio = totals.kind === 'ratio';
  const [actual, predicted] = leaves.columns as [Float64Array, Float64Array];
  const found = findCauses({ dimensions: leaves.dimensions, ...(isRatio ? countsOfRatio(leaves) : { actual, predicted }), atMost: mostCauses });
  const noise = noiseOf(found, isRatio ? denominatorOf(leaves) : 1);
  const own = placedSuspects(found, { leaves, totals }).filter((one) => !isDrift(one, { found, totals, noise }));
  const all = isRatio ? [...own, ...volumeSuspects(own, { leaves, totals, noise })] : own;
  const suspects = all.sort((a, b) => b.score - a.score || Math.abs(b.change) - Math.abs(a.change)).slice(0, atMost);
  const { change } = totals;
  const unexplained = change === 0 ? null : totals.changeWithout(suspects.flatMap(({ owned }) => owned)) / change;
  return {
    measure: totals.kind,
    leaves: leaves.count,
    actual: totals.actual,
    predicted: totals.predicted,
    change,
    noise,
    suspects: suspects.map(({ where, score, change: part, actual: is, predicted: expected, effect }) => ({
      where,
      score,
      explained: change === 0 ? null : part / change,
      change: part,
      actual: is,
      predicted: expected,
      ...(isRatio ? { effect } : {}),
    })),
    unexplained,
    note: noteOf({ found: suspects.length, change, noise, unexplained }),
  };
}

const denominatorOf = ({ columns }: Leaves): number => Math.max(columns[1]?.reduce((sum, one) => sum + one, 0) ?? 0, Number.MIN_VALUE);

/** Leaves' variances add up. */
function noiseOf({ deviations: { size }, evidence: { weight } }: Found, denominator: number): number {
  return Math.sqrt(size.reduce((sum, own, at) => sum + (own * own) / (weight[at] as number), 0)) / denominator;
}

/** A shift of everything that is small, or within the noise of the whole, or no more than what the deviations' own asymmetry makes of noise, half its squared scale. */
function isDrift({ where, deviation, change }: Placed, { found, totals, noise }: { found: Found; totals: Totals; noise: number }): boolean {
  if (Object.keys(where).length > 0) return false;
  return Math.abs(deviation) < found.noise.relative || Math.abs(change) < 3 * noise || Math.abs(change) < leastRootShare * Math.abs(totals.change);
}

/** What rates leave unexplained of a ratio's change, beyond noise, is a change of shares: leaves whose denominators are not as predicted. */
function volumeSuspects(own: readonly Placed[], { leaves, totals, noise }: { leaves: Leaves; totals: Totals; noise: number }): Placed[] {
  const owned = own.flatMap((one) => one.owned);
  const rest = totals.changeWithout(owned);
  if (Math.abs(rest) <= leastVolumeShare * Math.abs(totals.change) || Math.abs(rest) <= 3 * noise) return [];
  const [, actual, numerator, predicted] = leaves.columns as [Float64Array, Float64Array, Float64Array, Float64Array];
  const found = findCauses({ dimensions: leaves.dimensions, actual, predicted, atMost: mostCauses });
  const { leaf, size } = found.deviations;
  // A leaf moves the whole by how far its rate lies from the whole's.
  const squares = size.map((one, at) => {
    const denominator = predicted[leaf[at] as number] as number;
    const apart = denominator === 0 ? 0 : (numerator[leaf[at] as number] as number) / denominator - (totals.predicted ?? 0);
    return (apart * one) ** 2 / (found.evidence.weight[at] as number);
  });
  const mixNoise = Math.sqrt(squares.reduce((sum, one) => sum + one, 0)) / denominatorOf(leaves);
  if (Math.abs(rest) <= 3 * Math.hypot(noise, mixNoise)) return [];
  return placedSuspects(found, { leaves, totals, taken: owned }).flatMap((one) =>
    Object.keys(one.where).length > 0 && one.change / totals.change >= leastVolumeShare ? [{ ...one, effect: 'volume' as const }] : [],
  );
}

function noteOf({ found, change, noise, unexplained }: { found: number; change: number; noise: number; unexplained: number | null }): string {
  const share = `${((unexplained ?? 0) * 100).toFixed(1)} % of the change is left unexplained`;
  const isNoise = Math.abs(change) <= 3 * noise;
  if (found > 0) return unexplained === null ? 'The whole has not changed, its parts have' : share;
  if (change === 0) return 'The whole has not changed, and no part is off by more than chance';
  return isNoise
    ? 'The change is within the noise: no part is off by more than chance'
    : 'The change is more than noise, and yet no combination of attributes stands out: it lies in no one place, or in too few leaves to tell';
}
