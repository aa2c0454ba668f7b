import type { DataSetRule } from '../contracts/data-set-rule.ts';
import type { RecordRuleChoices } from '../contracts/record-rules.ts';

/** What past data were like. Shares and ratios as numbers, one a day, a batch or a week. */
export type PastData = {
  /** Each day's rows as a share of what its weekday usually has. */
  weekdayVolumes: readonly number[];
  /** Share of rows without a value, one a day, of columns that some rows have. */
  nullShares: Readonly<Record<string, readonly number[]>>;
  /** Population stability index of each week against the four before it. */
  shifts: Readonly<Record<string, readonly number[]>>;
  /** Days from one day with rows to the next. */
  dayGaps: readonly number[];
  batches: readonly { quarantineShare: number; duplicateShare: number }[];
  /** Events of one visitor in one minute, purchases and returns aside: what all but one in ten thousand of such minutes stay within, and the most. */
  perMinute: { usualMost: number; most: number; above: (limit: number) => number } | null;
  /** Milliseconds from an event to its arrival: what 99.9 % stay within; null where arrivals are not known. */
  arrivalMs: number | null;
};

export type Suggestion = { why: string } & ({ rule: DataSetRule } | { recordRule: RecordRuleChoices });

const leastSamples = { days: 10, weeks: 3 };

/**
 * Proposes thresholds that the past would have met, with room: a rule that cries every week is switched off in the second. Nothing is proposed of which there
 * is too little past. A person decides: all but the plainest only warn.
 */
export function suggestRules(past: PastData): Suggestion[] {
  return [...volume(past), ...missing(past), ...shifted(past), ...age(past), ...batches(past), ...visitors(past)];
}

const range = (values: readonly number[]) => `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`;
const roundUp = (value: number): number => Math.ceil(value * 100 - 1e-9) / 100;
const roundDown = (value: number): number => Math.floor(value * 100 + 1e-9) / 100;

function volume({ weekdayVolumes: ratios }: PastData): Suggestion[] {
  if (ratios.length < leastSamples.days) return [];
  // Feast days are worth a word: the outermost fiftieth on both sides does not set the limits.
  const sorted = ratios.toSorted((a, b) => a - b);
  const outside = Math.floor(sorted.length / 50);
  const min = roundDown((sorted[outside] as number) / 1.25);
  const max = roundUp((sorted[sorted.length - 1 - outside] as number) * 1.25);
  const rule: DataSetRule = { name: 'usual-volume', measure: 'weekday-volume', ...(min > 0 ? { min } : {}), max, action: 'warn' };
  const broken = ratios.filter((ratio) => ratio < min || ratio > max).length;
  return [{ rule, why: `${ratios.length} days had ${range(ratios)} of their weekday's median; ${broken} of them would have broken it` }];
}

function missing({ nullShares }: PastData): Suggestion[] {
  return Object.entries(nullShares).flatMap(([column, shares]): Suggestion[] => {
    if (shares.length < leastSamples.days || Math.min(...shares) === 1) return [];
    const most = Math.max(...shares);
    const max = roundUp(Math.min(1, most + Math.max(0.02, (most - Math.min(...shares)) / 2)));
    if (max >= 1) return [];
    const rule: DataSetRule = { name: `${column.replaceAll('_', '-')}-there`, measure: 'null-share', column, max, action: 'warn' };
    return [{ rule, why: `missing in ${range(shares)} of the rows of ${shares.length} days` }];
  });
}

function shifted({ shifts }: PastData): Suggestion[] {
  return Object.entries(shifts).flatMap(([column, values]): Suggestion[] => {
    if (values.length < leastSamples.weeks) return [];
    // Above a quarter a distribution has moved by any account (Siddiqi, 2006): less than a tenth is never worth a word.
    const max = roundUp(Math.max(0.1, Math.max(...values) * 1.5));
    const rule: DataSetRule = { name: `${column.replaceAll('_', '-')}-as-before`, measure: 'distribution-shift', column, max, action: 'warn' };
    return [{ rule, why: `${values.length} weeks moved by ${range(values)} against the four before each` }];
  });
}

function age({ dayGaps }: PastData): Suggestion[] {
  if (dayGaps.length < leastSamples.days) return [];
  const most = Math.max(...dayGaps);
  return [
    {
      rule: { name: 'fresh', measure: 'freshness-days', max: most + 1, action: 'warn' },
      why: `there never were more than ${most} days between two days with rows`,
    },
  ];
}

function batches({ batches: all }: PastData): Suggestion[] {
  if (all.length === 0) return [];
  const most = (share: (batch: (typeof all)[number]) => number) => Math.max(...all.map(share));
  const [aside, twice] = [most((batch) => batch.quarantineShare), most((batch) => batch.duplicateShare)];
  const of = `of ${all.length} batch${all.length === 1 ? '' : 'es'}`;
  return [
    {
      rule: { name: 'little-quarantine', measure: 'quarantine-share', max: roundUp(Math.max(0.02, aside * 2)), action: 'stop' },
      why: `at most ${aside.toFixed(4)} ${of} was put aside`,
    },
    {
      rule: { name: 'few-duplicates', measure: 'duplicate-share', max: roundUp(Math.max(0.02, twice * 2)), action: 'warn' },
      why: `at most ${twice.toFixed(4)} ${of} came twice`,
    },
  ];
}

function visitors({ perMinute, arrivalMs }: PastData): Suggestion[] {
  const suggestions: Suggestion[] = [];
  if (perMinute !== null) {
    const limit = Math.max(30, perMinute.usualMost * 3);
    suggestions.push({
      recordRule: { 'bot-rate': { action: 'quarantine', limit } },
      why: `all but one in 10,000 minutes of a visitor have at most ${perMinute.usualMost} events, the busiest had ${perMinute.most}; it would have put aside ${perMinute.above(limit)} events`,
    });
  }
  if (arrivalMs !== null) {
    const limit = Math.max(3_600_000, arrivalMs * 2);
    suggestions.push({ recordRule: { 'too-late': { action: 'warn', limit } }, why: `99.9 % of the events came in within ${Math.round(arrivalMs / 1000)} s` });
  }
  return suggestions;
}
