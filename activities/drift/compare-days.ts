import { compareClouds } from '../../experiments/drift/compare-clouds.ts';
import { compareColumns } from '../../experiments/drift/compare-columns.ts';
import { compareRates, type RateUnit } from '../../experiments/drift/compare-rates.ts';
import { stabilityIndex } from '../../experiments/drift/stability-index.ts';
import { tellApart } from '../../experiments/drift/tell-apart.ts';
import { featureNames, userFeatures } from '../../experiments/drift/user-features.ts';
import { parted, pooled, ranked, type Vectors } from '../../experiments/drift/vectors.ts';
import { percent } from '../../experiments/percent.ts';
import type { DriftColumn } from '../../models/contracts/drift.ts';
import { createRandom } from '../../models/random.ts';
import type { Asked, Unasked } from './compare-models.ts';
import type { DayRate, PeriodData } from './read-periods.ts';

export type DayDrift = { asked: Asked[]; notMeasured: Unasked[]; columns: DriftColumn[] };

/** So many, that a single small p-value among all that are asked can be told from chance. */
export const permutations = 9999;
/** Of a side, below which nothing is asked. */
export const unitsAtLeast = 20;
const categoriesAtMost = 5;

/** What is known of users' periods, before and after, nobody on both sides. */
export function compareFeatures(
  { from, to, popularity }: PeriodData,
  { categoryOf, seed }: { categoryOf: ReadonlyMap<string, string>; seed: number },
): DayDrift {
  const few = Math.min(from.length, to.length);
  if (few < unitsAtLeast) {
    const why = tooFew(few);
    return { asked: [], columns: [], notMeasured: (['features', 'features-together', 'features-told-apart'] as const).map((what) => ({ what, why })) };
  }
  const counts = new Map<string, number>();
  for (const [itemId, events] of popularity) {
    const category = categoryOf.get(itemId);
    if (category !== undefined) counts.set(category, (counts.get(category) ?? 0) + events);
  }
  const categories = [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, categoriesAtMost)
    .map(([category]) => category);
  const known = { popularity, categoryOf, categories };
  const [before, after] = [userFeatures(from, known), userFeatures(to, known)];
  const single = askColumns(before, after, { what: 'features', names: featureNames(known), seed });
  const ranks = parted(ranked(pooled(before, after)), before.count);
  const together = compareClouds(...ranks, { random: createRandom(seed + 1), permutations });
  const told = tellApart(before, after, { random: createRandom(seed + 2), permutations });
  return {
    ...single,
    asked: [
      ...single.asked,
      {
        what: 'features-together',
        p: together.p,
        says: `all features together, by ${together.method === 'mmd' ? 'maximum mean discrepancy' : 'energy distance'}`,
        units: together.rows,
      },
      {
        what: 'features-told-apart',
        p: told.p,
        says: `a classifier tells users of the newer days from those of the older in ${percent(told.accuracy)} of cases (50 %: by chance)`,
        units: told.rows,
      },
    ],
  };
}

/** Columns with names, one question for all of them. */
export function askColumns(
  before: Vectors,
  after: Vectors,
  { what, names, seed }: { what: 'features' | 'scores'; names: readonly string[]; seed: number },
): DayDrift {
  if (Math.min(before.count, after.count) < unitsAtLeast)
    return { asked: [], columns: [], notMeasured: [{ what, why: tooFew(Math.min(before.count, after.count)) }] };
  const { p, columns, rows } = compareColumns(before, after, { random: createRandom(seed), permutations });
  const named = columns.map(({ column, distance, p: own, means }): DriftColumn => {
    const of = ({ values, dimensions }: Vectors) => values.filter((_, place) => place % dimensions === column);
    const { psi, bias } = stabilityIndex(of(before), of(after));
    return { name: names[column] as string, of: what, distance, p: own, means, psi, psiByChance: bias };
  });
  const [most] = named.toSorted((one, other) => one.p - other.p || other.distance - one.distance);
  const says = most === undefined ? '' : `most of all ${most.name}: its mean was ${most.means[0].toPrecision(3)} and is ${most.means[1].toPrecision(3)}`;
  return { asked: [{ what, p, says, units: rows }], columns: named, notMeasured: [] };
}

type LabelInput = { users: { from: readonly RateUnit[]; to: readonly RateUnit[] }; days: readonly [readonly DayRate[], readonly DayRate[]]; seed: number };

/** Rewarded events of all, by users that stand on one side alone. `days` only say how much days differ. */
export function compareLabels({ users: { from, to }, days, seed }: LabelInput): DayDrift {
  const none = (why: string): DayDrift => ({ asked: [], columns: [], notMeasured: [{ what: 'label-rate', why }] });
  const all = days.flat();
  if (all.every(({ rewarded }) => rewarded === 0)) return none('no event is of a kind that is rewarded');
  if (all.every(({ rewarded, events }) => rewarded === events)) return none('every event is rewarded: the data do not say of what else');
  const few = Math.min(from.length, to.length);
  if (few < unitsAtLeast) return none(tooFew(few));
  const { p, rates, units } = compareRates(from, to, { random: createRandom(seed), permutations });
  const [before, after] = days.map((side) => {
    const own = side.map(({ rewarded, events }) => rewarded / events).sort((a, b) => a - b);
    return `${percent(own[0] as number)} to ${percent(own.at(-1) as number)}`;
  });
  const says = `${percent(rates[0])} of events were rewarded (${before} from day to day), and ${percent(rates[1])} are (${after})`;
  return { asked: [{ what: 'label-rate', p, says, units }], columns: [], notMeasured: [] };
}

const tooFew = (users: number): string => `a side has ${users} users, and ${unitsAtLeast} are needed`;
