import type { DataSetRule } from '../contracts/data-set-rule.ts';
import { UnderstudyError } from '../contracts/problem.ts';
import type { IngestManifest } from '../contracts/window.ts';

/** One value that a rule is held against: of a day, or of the whole batch where none is named. `of` says what was compared, for people. */
export type Measured = { value: number; day?: string | undefined; of?: string | undefined };
/** What a rule was measured to be, or why it does not apply. */
export type Measurement = { rule: DataSetRule; measured: readonly Measured[] } | { rule: DataSetRule; doesNotApply: string; value: number };

export type DataSetOutcome = {
  warnings: IngestManifest['warnings'];
  /** Rules that put aside the rows of a day, or all where none is named. */
  aside: { rule: string; day: string | undefined }[];
};

/**
 * Holds what was measured against the charter's limits, which are allowed themselves.
 * @throws UND-RULE-STOP naming every stop-level rule that failed.
 */
export function judgeDataSet(measurements: readonly Measurement[]): DataSetOutcome {
  const outcome: DataSetOutcome = { warnings: [], aside: [] };
  const stops: { rule: string; message: string }[] = [];
  for (const measurement of measurements) {
    const { rule } = measurement;
    if ('doesNotApply' in measurement) {
      outcome.warnings.push({ rule: rule.name, message: `does not apply: ${measurement.doesNotApply}`, value: measurement.value });
      continue;
    }
    const broken = measurement.measured.flatMap((one) => {
      const message = complaint(rule, one);
      return message === undefined ? [] : [{ ...one, message }];
    });
    if (rule.action === 'stop') stops.push(...broken.map(({ message }) => ({ rule: rule.name, message })));
    else outcome.warnings.push(...broken.map(({ message, value }) => ({ rule: rule.name, message, value })));
    if (rule.action === 'quarantine') outcome.aside.push(...broken.map(({ day }) => ({ rule: rule.name, day })));
  }
  if (stops.length > 0) {
    const named = stops.map((stop) => `${stop.rule}: ${stop.message}`).join('; ');
    throw new UnderstudyError('UND-RULE-STOP', `${stops.length} stop-level rule${stops.length === 1 ? '' : 's'} failed: ${named}`, {
      mistakes: stops.map((stop) => ({ path: `/data/rules/${stop.rule}`, message: stop.message })),
    });
  }
  return outcome;
}

function complaint({ measure, column, min, max }: DataSetRule, { value, day, of }: Measured): string | undefined {
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(4);
  const what = `${measure}${column === undefined ? '' : ` of ${column}`}${day === undefined ? '' : ` on ${day}`}`;
  const about = of === undefined ? '' : ` (${of})`;
  if (min !== undefined && value < min) return `${what} is ${shown}${about}, below ${min}`;
  if (max !== undefined && value > max) return `${what} is ${shown}${about}, above ${max}`;
  return undefined;
}

/**
 * Population stability index of two histograms over the same bins: sum of (p - q) ln(p / q) (Siddiqi, "Credit Risk Scorecards", 2006, ch. 6), each
 * bin with half a count more, so that an empty one is no infinity. Below .1 little has changed, above .25 much.
 */
export function populationStabilityIndex(reference: readonly number[], recent: readonly number[]): number {
  const share = (counts: readonly number[]) => {
    const total = counts.reduce((sum, count) => sum + count + 0.5, 0);
    return counts.map((count) => (count + 0.5) / total);
  };
  const p = share(reference);
  const q = share(recent);
  return p.reduce((sum, one, bin) => sum + (one - (q[bin] as number)) * Math.log(one / (q[bin] as number)), 0);
}
