import type { DisparateImpact, GroupMeasure, ImpactGroup, ImpactVerdict } from '../../models/contracts/audit-measures.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { createRandom } from '../../models/random.ts';
import { meanInterval, rareRewards } from '../counterfactual/mean-interval.ts';

/** What one unit got, and which groups it is of. */
export type ImpactUnit = {
  /** By measure; null where the unit has none. More of it is better. */
  figures: Readonly<Record<string, number | null>>;
  /** By column; absent where it is not known, and the unit is then in no group of it. */
  groups: Readonly<Record<string, string | undefined>>;
};

export type ImpactInput = {
  units: readonly ImpactUnit[];
  /** The greatest value that a unit's figure can have; the least is 0. */
  measures: readonly { name: string; most: number }[];
  columns: readonly string[];
  minUnits?: number;
  threshold?: number;
  error?: number;
  /** Of the order in which units are looked at. */
  seed: number;
};

type Column = { columns: string[]; groups: Map<string, { values: string[]; units: ImpactUnit[] }> };
type Measured = { name: string; units: number; mean: Interval };

/**
 * Do all groups get what the best one gets, or four fifths of it (the rule of the Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4 D, 1978)?
 * Groups are the values of each column and of each two columns.
 *
 * Intervals are by betting (mean-interval.ts): rewards are rare, and those of a small group may all be missing, where a t or a bootstrap interval is far too
 * narrow; betting needs nothing but a greatest value, and has its level at any size. All intervals hold together with the probability `1 - error`, each having its
 * part of the error (Dunn, "Multiple comparisons among means", JASA 1961). So the best group need not be known: the greatest mean lies between the greatest low and the
 * greatest high end, however many groups there are, and no group is broken because another one looks best by chance. Step-down methods (Holm 1979) give no intervals,
 * and at this many hypotheses hardly any power.
 *
 * @throws UND-INPUT for a figure that is not within 0 and its greatest value
 */
export function disparateImpact(input: ImpactInput): DisparateImpact {
  const steps = impactSteps(input);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in steps of a second or less, for whoever must do something else between them. */
export function* impactSteps(input: ImpactInput): Generator<void, DisparateImpact, void> {
  const { units, measures, minUnits = 100, threshold = 0.8, error = 0.05 } = input;
  const random = createRandom(input.seed);
  const order = units.slice();
  // Betting goes by the order, which must say nothing of the figures.
  for (let place = order.length - 1; place > 0; place -= 1) {
    const other = random.below(place + 1);
    [order[place], order[other]] = [order[other] as ImpactUnit, order[place] as ImpactUnit];
  }
  const columns = groupedBy(order, input.columns);
  const large = columns.map((column) => ({ ...column, groups: [...column.groups.values()].filter((group) => group.units.length >= minUnits) }));
  const measurable = large.map(({ groups }) => groups.map((group) => measures.map(({ name, most }) => valuesOf(group.units, name, most))));
  const intervals = measurable.flat(2).filter((values) => values.length >= minUnits).length;
  const level = 1 - error / Math.max(1, intervals);
  const groups: ImpactGroup[] = [];
  for (const [at, { columns: names, groups: own }] of large.entries()) {
    const measured: Measured[][] = [];
    for (const group of own.keys()) {
      measured.push(
        measures.flatMap(({ name, most }, place): Measured[] => {
          const values = (measurable[at]?.[group]?.[place] ?? new Float64Array()) as Float64Array;
          return values.length < minUnits ? [] : [{ name, units: values.length, mean: intervalOf(values, most, level) }];
        }),
      );
      yield;
    }
    groups.push(
      ...own.map(({ values, units: { length } }, group): ImpactGroup => {
        const others = measured.filter((_, other) => other !== group);
        const compared = (measured[group] as Measured[]).map((one): GroupMeasure => {
          const against = others.flatMap((other) => other.filter(({ name }) => name === one.name));
          return { ...one, ...compare({ own: one.mean, others: against.map(({ mean }) => mean), threshold }) };
        });
        return { columns: names, values, units: length, measures: compared };
      }),
    );
  }
  const verdicts = groups.flatMap((group) => group.measures.filter(({ ratio }) => ratio !== null).map(({ verdict }) => verdict));
  return {
    units: units.length,
    minUnits,
    threshold,
    error,
    intervals,
    groups,
    leftOut: columns.flatMap((column) => {
      const small = [...column.groups.values()].filter((group) => group.units.length < minUnits);
      return small.length === 0 ? [] : [{ columns: column.columns, groups: small.length, units: small.reduce((sum, one) => sum + one.units.length, 0) }];
    }),
    verdict: verdicts.includes('broken') ? 'broken' : verdicts.length > 0 && verdicts.every((one) => one === 'holds') ? 'holds' : 'not-enough-evidence',
  };
}

/** Of each column, and of each two that both tell units apart. */
function groupedBy(units: readonly ImpactUnit[], names: readonly string[]): Column[] {
  const of = (columns: string[]): Column => {
    const groups: Column['groups'] = new Map();
    for (const unit of units) {
      const values = columns.flatMap((column) => unit.groups[column] ?? []);
      if (values.length < columns.length) continue;
      const key = values.join('\0');
      const group = groups.get(key) ?? { values, units: [] };
      group.units.push(unit);
      groups.set(key, group);
    }
    return { columns, groups: new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1))) };
  };
  const single = names.map((name) => of([name]));
  const telling = single.filter(({ groups }) => groups.size > 1).flatMap(({ columns }) => columns);
  return [...single, ...telling.flatMap((one, place) => telling.slice(place + 1).map((other) => of([one, other])))];
}

function valuesOf(units: readonly ImpactUnit[], name: string, most: number): Float64Array {
  const values = Float64Array.from(units.flatMap(({ figures }) => figures[name] ?? []));
  const wrong = values.find((value) => !(value >= 0 && value <= most));
  if (wrong !== undefined) throw new UnderstudyError('UND-INPUT', `${name} is ${wrong}, which is not within 0 and ${most}`);
  return values;
}

function intervalOf(values: Float64Array, most: number, level: number): Interval {
  const scales = new Float64Array(values.length).fill(1);
  return meanInterval({ values, low: 0, high: most, level, scales, belief: rareRewards({ scales, unit: most * most }) });
}

function compare({ own, others, threshold }: { own: Interval; others: readonly Interval[]; threshold: number }): {
  ratio: Interval | null;
  verdict: ImpactVerdict;
} {
  const best = (end: keyof Interval) => others.reduce((most, one) => Math.max(most, one[end]), 0);
  if (best('high') === 0) return { ratio: null, verdict: 'not-enough-evidence' };
  const share = (part: number, whole: number) => (part >= whole ? 1 : part / whole);
  const ratio = { value: share(own.value, best('value')), low: share(own.low, best('high')), high: share(own.high, best('low')) };
  return { ratio, verdict: ratio.high < threshold ? 'broken' : ratio.low >= threshold ? 'holds' : 'not-enough-evidence' };
}
