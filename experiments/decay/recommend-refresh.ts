import type { Interval } from '../../models/contracts/verdict.ts';
import { percent } from '../percent.ts';
import type { Advice, AgePoint, DecayFacts, HistoryPoint, RefreshAdvice, WarmPoint } from './decay-study.ts';

/** A full refit that takes more of the time between two of them than this is worth saving. */
const refitShareAtMost = 0.01;
const weekSeconds = 7 * 86_400;

/**
 * What the curves speak for.
 * @param margin share of a fresh model's metric that may be lost: the charter's `gates.refreshMargin`
 */
export function recommendRefresh({ ages, histories, warm, margin }: DecayFacts & { margin: number }): RefreshAdvice {
  const cadence = recommendCadence({ ages, margin });
  return { cadence, window: recommendWindow({ histories, margin }), mode: recommendMode({ ages, warm, margin, cadence }) };
}

/** Within the margin with its whole interval. */
const holds = (change: Interval | null, margin: number): boolean => change !== null && change.low >= -margin;

function recommendCadence({ ages, margin }: { ages: readonly AgePoint[]; margin: number }): RefreshAdvice['cadence'] {
  const aged = ages.filter(({ weeks }) => weeks > 0);
  const because = aged.map(({ weeks, change }) => `${weeksText(weeks)} old: ${changeText(change)} against a fresh model`);
  const mayExceed = aged.findIndex(({ change }) => !holds(change, margin));
  const exceeds = aged.find(({ change }) => change !== null && change.value < -margin);
  const lost = percent(margin);
  if (aged.length === 0) return { choice: { weeks: null }, verdict: 'not-enough-evidence', says: 'no age was measured', because };
  const oldest = aged.at(-1) as AgePoint;
  if (mayExceed < 0)
    return {
      choice: { weeks: oldest.weeks },
      verdict: 'measured',
      says: `every ${weeksText(oldest.weeks)} or less often: at that age, the oldest that was measured, no more than ${lost} is lost`,
      because,
    };
  const held = aged[mayExceed - 1];
  const next = aged[mayExceed] as AgePoint;
  const beyond = exceeds === undefined ? 'at no measured age is the loss itself beyond it' : `the loss itself is beyond it from ${weeksText(exceeds.weeks)} on`;
  if (held !== undefined) {
    return {
      choice: { weeks: held.weeks },
      verdict: 'measured',
      says: `every ${weeksText(held.weeks)}: up to there no more than ${lost} is lost, at ${weeksText(next.weeks)} it may be more (${beyond})`,
      because,
    };
  }
  const isLost = next.change !== null && next.change.high < -margin;
  return {
    choice: { weeks: null },
    verdict: isLost ? 'measured' : 'not-enough-evidence',
    says: isLost
      ? `more often than every ${weeksText(next.weeks)}: more than ${lost} is lost by then`
      : `not enough evidence: at ${weeksText(next.weeks)} the interval holds both less and more than a loss of ${lost} (${beyond}); more often than that is safe meanwhile`,
    because,
  };
}

function recommendWindow({ histories, margin }: { histories: readonly HistoryPoint[]; margin: number }): RefreshAdvice['window'] {
  const because = histories.map(
    ({ months, change, gainAMonth }) =>
      `${monthsText(months)}: ${change?.low === 0 && change.high === 0 ? 'the best' : `${changeText(change)} against the best`}${gainAMonth === null ? '' : `; a further month adds ${changeText(gainAMonth)}`}`,
  );
  const longest = histories.at(-1);
  if (longest === undefined || histories.length < 2)
    return { choice: { days: null }, verdict: 'not-enough-evidence', says: 'one length of history alone tells nothing: there are too few days', because };
  // Its interval reaches the best, or it cannot be said that it does not.
  const perhaps = histories.find(({ change }) => change === null || change.high >= 0) as HistoryPoint;
  const shown = histories.find(({ change }) => change !== null && change.high >= 0 && holds(change, margin));
  const safe = shown ?? longest;
  const says = `${monthsText(safe.months)} (${safe.days} days)`;
  if (perhaps === safe)
    return {
      choice: { days: safe.days },
      verdict: 'measured',
      says: `${says}: the shortest that cannot be told from the best, nor be more than ${percent(margin)} worse`,
      because,
    };
  return {
    choice: { days: safe.days },
    verdict: 'not-enough-evidence',
    says: `not enough evidence that ${monthsText(perhaps.months)} would do: it cannot be told from the best, and may be more than ${percent(margin)} worse; ${says} are safe meanwhile`,
    because,
  };
}

type Mode = { ages: readonly AgePoint[]; warm: WarmPoint | null; margin: number; cadence: RefreshAdvice['cadence'] };

function recommendMode({ ages, warm, margin, cadence }: Mode): Advice<'snapshot' | 'delta'> {
  const fresh = ages.find(({ weeks }) => weeks === 0);
  // A day, where even a week is too long.
  const between = cadence.choice.weeks === null ? weekSeconds / 7 : cadence.choice.weeks * weekSeconds;
  const seconds = fresh?.cost.seconds ?? 0;
  const cost = `a full refit takes ${secondsText(seconds)}, ${percent(seconds / between)} of the time between two`;
  const snapshot = (says: string, because: string[], verdict: Advice<'snapshot'>['verdict'] = 'measured') => ({
    choice: 'snapshot' as const,
    verdict,
    says,
    because,
  });
  if (warm === null) return snapshot('snapshot: a full refit each time; this model cannot begin from an earlier one, or was not measured so', [cost]);
  const shown = [
    `${weeksText(warm.steps)} of beginning from the week before: ${changeText(warm.change)} against beginning anew`,
    `${secondsText(warm.cost.seconds)} instead of ${secondsText(warm.cold.seconds)}`,
    cost,
  ];
  if (warm.change !== null && warm.change.high < -margin) return snapshot('snapshot: beginning from earlier models loses more than the margin', shown);
  if (seconds <= refitShareAtMost * between) return snapshot('snapshot: a full refit is cheap here, and needs nothing from before', shown);
  if (!holds(warm.change, margin))
    return snapshot('not enough evidence that beginning from earlier models loses nothing; snapshots are safe meanwhile', shown, 'not-enough-evidence');
  return {
    choice: 'delta',
    verdict: 'measured',
    says: 'delta: begin from the earlier model (`warmStart`), which loses no more than the margin',
    because: shown,
  };
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
export const weeksText = (weeks: number): string => plural(weeks, 'week');
export const monthsText = (months: number): string => plural(months, 'month');
export const secondsText = (seconds: number): string => `${seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0)} s`;

/** `-3.1 % [-5 %, -1.2 %]` */
export function changeText(change: Interval | null): string {
  if (change === null) return 'not known';
  const text = (value: number) => `${value < 0 ? '' : '+'}${(100 * value).toFixed(1)} %`;
  return `${text(change.value)} [${text(change.low)}, ${text(change.high)}]`;
}
