import type { CauseName, EventRow, Evidence, RootCauseFacts, TrafficRow } from '../../models/contracts/root-cause.ts';
import { type Comparison, compare } from './expectation.ts';

export type Where = Readonly<Record<string, string>>;

/** A cause that something speaks for. */
export type Finding = {
  cause: CauseName;
  where: Where;
  /** Of its main sign. A check that tells for itself, and not by how usual its outcome is, counts `certain`. */
  deviations: number;
  evidence: Evidence[];
  /** The slates that it is about, for what it explains of a change in reward. */
  rows?: ((row: TrafficRow) => boolean) | undefined;
};
export type Verdict = { findings: Finding[]; ruledOut: { cause: CauseName; why: string }[]; notLookedAt: { cause: CauseName; why: string }[] };
export type Examine = (look: Look) => Verdict;
export const none = (cause: CauseName, why: string): Verdict => ({ findings: [], ruledOut: [{ cause, why }], notLookedAt: [] });
export const unknown = (cause: CauseName, why: string): Verdict => ({ findings: [], ruledOut: [], notLookedAt: [{ cause, why }] });
export const found = (...findings: Finding[]): Verdict => ({ findings, ruledOut: [], notLookedAt: [] });

/** What a check counts for that leaves no doubt. */
export const certain = 12;
/** From here on a figure is not as expected: in one of thousands, for many are looked at. */
export const unusual = 3.5;
/** The same where something was changed at that very time. */
export const suspicious = 2.8;

type Rows = (row: TrafficRow) => boolean;
const all: Rows = () => true;

/** Figures of the facts, by unit and against what was to be expected. */
export function lookAt(facts: RootCauseFacts) {
  const { units, traffic, events } = facts;
  const isNow = (row: { unit: number }): boolean => units[row.unit]?.now === true;
  const trafficNow = traffic.filter(isNow);
  const byUnit = <Row extends { unit: number }>(rows: readonly Row[], value: (row: Row) => number): Float64Array => {
    const sums = new Float64Array(units.length);
    for (const row of rows) sums[row.unit] = (sums[row.unit] as number) + value(row);
    return sums;
  };
  const count = (value: (row: TrafficRow) => number, rows: Rows = all): number => trafficNow.reduce((sum, row) => sum + (rows(row) ? value(row) : 0), 0);

  /** A rate by slates, whatever visitors came. */
  const slateRate = (value: (row: TrafficRow) => number, over: (row: TrafficRow) => number, rows: Rows = all): Comparison | undefined => {
    const own = traffic.filter(rows);
    return compare({ units, numerator: byUnit(own, value), denominator: byUnit(own, over) });
  };

  /**
   * A rate by slates with the same visitors as always: the denominator is what each sort of visitor, by country, device and segment, had given before the incident (indirect
   * standardization). So its ratio is 1 where only the mix is another. `expected` is in units of the denominator.
   */
  const adjustedRate = (
    value: (row: TrafficRow) => number,
    over: (row: TrafficRow) => number,
    rows: Rows = all,
    before: Rows = rows,
  ): Comparison | undefined => {
    const usual = usualOf(value, over, before);
    const own = traffic.filter((row) => (isNow(row) ? rows(row) : before(row)));
    return compare({ units, numerator: byUnit(own, value), denominator: byUnit(own, (row) => over(row) * usual(row)) });
  };

  /** What a sort of visitor gave before the incident; of few slates, nearly what all gave. */
  const usualOf = (value: (row: TrafficRow) => number, over: (row: TrafficRow) => number, before: Rows = all): ((row: TrafficRow) => number) => {
    const sums = new Map<string, [number, number]>();
    const whole: [number, number] = [0, 0];
    for (const row of traffic) {
      if (isNow(row) || !before(row)) continue;
      const own = sums.get(sortOf(row)) ?? [0, 0];
      for (const [place, figure] of [value(row), over(row)].entries()) {
        own[place] = (own[place] as number) + figure;
        whole[place] = (whole[place] as number) + figure;
      }
      sums.set(sortOf(row), own);
    }
    const rate = whole[0] / Math.max(1, whole[1]);
    const rates = new Map([...sums].map(([sort, [given, of]]) => [sort, (given + 50 * rate) / (of + 50)]));
    return (row) => rates.get(sortOf(row)) ?? rate;
  };

  const eventRate = (
    value: (row: EventRow) => number,
    over: ((row: EventRow) => number) | undefined,
    rows: (row: EventRow) => boolean,
  ): Comparison | undefined => {
    const own = events.filter(rows);
    return compare({ units, numerator: byUnit(own, value), denominator: over === undefined ? undefined : byUnit(own, over) });
  };
  const values = (member: 'country' | 'device' | 'segment' | 'replica'): string[] => [...new Set(trafficNow.map((row) => row[member]))].sort();

  const hasImpressions = traffic.some(({ seen }) => seen > 0);
  /** Slates that a reward may be expected of: those that were seen, or all where nobody says what was. */
  const shown = (row: TrafficRow): number => (hasImpressions ? row.seen : row.slates);

  return { facts, units, traffic, trafficNow, shown, isNow, byUnit, count, slateRate, adjustedRate, usualOf, eventRate, values };
}
export type Look = ReturnType<typeof lookAt>;

export const sortOf = ({ country, device, segment }: TrafficRow): string => `${country}\u001f${device}\u001f${segment}`;
export const slates = (row: TrafficRow): number => row.slates;
export const byModel: Rows = ({ rung }) => rung === 'model';

export const percent = (value: number): string => `${(value * 100).toFixed(Math.abs(value) < 0.0995 ? 1 : 0)} %`;

/** A figure beside what was expected, as evidence. */
export function sign(speaks: Evidence['speaks'], says: string, comparison?: Pick<Comparison, 'value' | 'expected' | 'deviations'>): Evidence {
  return { speaks, says, value: comparison?.value ?? null, expected: comparison?.expected ?? null, deviations: comparison?.deviations ?? null };
}

/** Has it risen by more than is usual, and by enough to matter: to `factor` times and by `least`? */
export const hasRisen = (one: Comparison | undefined, { factor = 1.5, least = 0.02 }: { factor?: number; least?: number } = {}): one is Comparison =>
  one !== undefined && one.deviations >= unusual && one.ratio >= factor && one.value - one.expected >= least;
export const hasFallen = (one: Comparison | undefined, to = 0.85, by = unusual): one is Comparison =>
  one !== undefined && one.deviations <= -by && one.ratio <= to;

/**
 * The one value of replica, device, country or segment at which a rate has risen where elsewhere it has not; {} where it has nearly everywhere.
 * @param members where to look, the likeliest first
 */
export function placeOf(
  look: Look,
  value: (row: TrafficRow) => number,
  members: readonly ('replica' | 'device' | 'country' | 'segment')[],
): { where: Where; rows: Rows } {
  for (const member of members) {
    const found = look.values(member).map((name) => ({ name, rate: look.slateRate(value, slates, (row) => row[member] === name) }));
    if (found.length < 2) continue;
    const risen = found.filter(({ rate }) => hasRisen(rate));
    const [own] = risen;
    const others = found.filter(({ rate }) => rate !== undefined && !risen.some((one) => one.rate === rate) && rate.ratio < 1.5);
    if (risen.length === 1 && own !== undefined && others.length === found.length - 1)
      return { where: { [member]: own.name }, rows: (row) => row[member] === own.name };
  }
  return { where: {}, rows: all };
}
