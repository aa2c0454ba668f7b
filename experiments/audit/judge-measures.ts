import type { AuditItem } from '../../models/contracts/audit.ts';
import type { DisparateImpact, FeedbackFigure, FeedbackMeasures, GroupMeasure } from '../../models/contracts/audit-measures.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { percent } from '../percent.ts';
import { groupName } from '../pictures/impact-plot.ts';
import { notMeasured } from './judge-claim.ts';

type Claim = Pick<AuditItem, 'id' | 'claim'>;
type Compared = { label: string; ratio: Interval };

/** What a group is to have at least of what it is held against: the four-fifths rule. */
const fourFifths = 0.8;

/**
 * Has each of several groups its share? The intervals hold together, so that no group is found because it looks worst by chance. Broken: the whole interval of one lies below;
 * weakened: one has less for sure, and perhaps less than its share; holds: all have theirs for sure. Else the data do not say.
 * @param says what a ratio is of, such as `what the best one gets`
 */
export function judgeRatios(
  { id, claim }: Claim,
  { compared, of, least = fourFifths }: { compared: readonly Compared[]; of: string; least?: number },
): AuditItem {
  const told = ({ label, ratio }: Compared) => `${label} has ${percent(ratio.value, 0)} (${percent(ratio.low, 0)} to ${percent(ratio.high, 0)}) of ${of}`;
  const found = (status: AuditItem['status'], some: readonly Compared[]): AuditItem => {
    const [worst, ...others] = some.toSorted((one, other) => one.ratio.value - other.ratio.value) as [Compared, ...Compared[]];
    const more = others.slice(0, 3).map(told).join('; ') + (others.length > 3 ? `; and ${others.length - 3} more` : '');
    const says = status === 'holds' ? `all ${some.length} have; the least: ${told(worst)}` : [told(worst), more].filter((one) => one !== '').join('; ');
    const { value, low, high } = worst.ratio;
    return { id, claim, status, says, value, unit: 'share', interval: { low, high }, bounds: { min: least, max: null } };
  };
  const broken = compared.filter(({ ratio }) => ratio.high < least);
  if (broken.length > 0) return found('broken', broken);
  const weakened = compared.filter(({ ratio }) => ratio.high < 1 && ratio.value < least);
  if (weakened.length > 0) return found('weakened', weakened);
  if (compared.length > 0 && compared.every(({ ratio }) => ratio.low >= least)) return found('holds', compared);
  const sure = compared.filter(({ ratio }) => ratio.low >= least).length;
  const why = `not enough evidence: of ${compared.length} groups ${sure} have it for sure, and of none it is known that it has not`;
  return notMeasured({ id, claim, why });
}

/** One measure between the groups of one column; or, with `columns` null, between those of each two columns. */
export function judgeImpact(claim: Claim, { impact, measure, column }: { impact: DisparateImpact; measure: string; column: string | null }): AuditItem {
  const groups = impact.groups.filter(({ columns }) => (column === null ? columns.length > 1 : columns.length === 1 && columns[0] === column));
  const compared = groups.flatMap(({ columns, values, measures }): Compared[] => {
    const own = measures.find(({ name, ratio }) => name === measure && ratio !== null) as (GroupMeasure & { ratio: Interval }) | undefined;
    return own === undefined ? [] : [{ label: groupName({ columns, values }), ratio: own.ratio }];
  });
  if (compared.length > 0) return judgeRatios(claim, { compared, of: 'what the best one gets', least: impact.threshold });
  const small = impact.leftOut.filter(({ columns }) => (column === null ? columns.length > 1 : columns.length === 1 && columns[0] === column));
  const left = small.reduce((sum, one) => sum + one.groups, 0);
  const known = groups.length + left === 0 ? 'nobody is known to be of one' : `${groups.length} have so many, ${left} have not`;
  return notMeasured({ ...claim, why: `no two groups of ${impact.minUnits} units and more have figures of it: ${known}` });
}

type Trend = {
  feedback: FeedbackMeasures;
  figure: FeedbackFigure;
  worse: 'up' | 'down' /** The change that is let pass. */;
  allowed: (first: number) => number;
  found: AuditItem['status'];
};

/** Did a figure get worse over generations of the model, by more than what is let pass? Then its status is `found`. */
export function judgeTrend({ id, claim }: Claim, { feedback, figure, worse, allowed, found }: Trend): AuditItem {
  const values = feedback.generations.flatMap(({ figures }) => figures[figure]?.value ?? []);
  const change = feedback.trends.find((one) => one.figure === figure)?.change;
  if (change === undefined)
    return notMeasured({ id, claim, why: `${values.length} generations of the model have slates enough and this figure: too few for a trend` });
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  const most = allowed(mean - change.value / 2);
  const [low, high] = worse === 'up' ? [change.low, change.high] : [-change.high, -change.low];
  const short = (one: number) => (one > 0 ? '+' : '') + one.toPrecision(2);
  const says = `${short(change.value)} (${short(change.low)} to ${short(change.high)}) over ${values.length} generations; it is ${(values.at(-1) as number).toPrecision(3)}`;
  const bounds = worse === 'up' ? { min: null, max: most } : { min: -most, max: null };
  const item = { id, claim, value: change.value, unit: null, interval: { low: change.low, high: change.high }, bounds };
  if (low > most) return { ...item, status: found, says };
  return high < most ? { ...item, status: 'holds', says } : notMeasured({ id, claim, why: `not enough evidence: ${says}` });
}
