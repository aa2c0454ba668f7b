import type { FramingFacts } from '../../activities/framing/measure-framing.ts';
import type { Compared } from '../../experiments/framing/compare-charter.ts';
import type { Recommended } from '../../experiments/framing/recommend.ts';
import { attribution, maxDaysForChange, sensitivity } from '../../experiments/framing/thresholds.ts';
import { percent } from '../../experiments/percent.ts';
import type { Measurement } from '../../models/contracts/assumption.ts';
import { table } from '../output.ts';
import { durationText } from '../sessions/duration.ts';
import { measuredText, reasonText, valueText } from './reason-text.ts';

/** A metric beside what it takes to see it move. */
export type MetricPlan = { metric: string; users: number | null; days: number | null; canaryUsers: number | null; canaryDays: number | null };
/** A goal, what is measured, and how far it is: (target - measured) / measured. */
export type Goal = { metric: string; target: number | null; measured: number | null; gap: number | null };

export type Framed = {
  surface: string;
  generation: number;
  facts: FramingFacts;
  recommended: Recommended;
  plans: readonly MetricPlan[];
  goals: readonly Goal[];
  /** Error rate of the canary's promotion, by the charter. */
  alpha: number;
  compared: readonly Compared[] | null;
};

export function describeFraming(framed: Framed): string {
  const { surface, generation, facts } = framed;
  const kinds = facts.kinds.map(({ kind, events }) => `${events} ${kind}`).join(', ');
  return [
    `${surface}, data generation ${generation}, ${facts.days.from} to ${facts.days.to} (${facts.days.count} days): ${kinds}`,
    funnelText(facts),
    measuresText(facts),
    metricsText(framed),
    delaysText(facts),
    recommendedText(framed.recommended),
    familiesText(framed.recommended),
    ...(framed.compared === null ? [] : [comparedText(framed.compared)]),
    conclusion(framed.recommended),
  ].join('\n\n');
}

export const stepText = (step: string): string => (step === 'view' ? 'view or click' : step);

function funnelText({ steps, conversions }: FramingFacts): string {
  const rows = steps.map(({ step, events, units, pairs }) => {
    const from = conversions.find(({ params }) => params.to === step);
    return [
      stepText(step),
      String(events),
      String(units),
      String(pairs),
      from === undefined ? '' : `${measuredText(from)} of ${stepText(String(from.params.from))}`,
    ];
  });
  return table(['funnel', 'events', 'users or sessions', '... x items', 'of a step before'], rows);
}

function measuresText({ basics, arrivalDelay, testUsers, traffic }: FramingFacts): string {
  const rows: [string, Measurement][] = [
    ['events with a known user', basics.knownUsers],
    ['users who come again within 28 days', basics.returning],
    ['history of a known user, median', basics.historyMedian],
    ['history of a known user, 90 %', basics.historyLong],
    ["a known user's events after the one before, not with it", basics.ordered],
    ['session, median', basics.sessionMedian],
    ['sessions with two items or more', basics.sessionContext],
    ['later visits by somebody with a history', basics.knownHistory],
    ['users, and sessions without one', basics.units],
    ['items', basics.items],
    ['density', basics.density],
    ['users and sessions with two items or more', basics.severalItems],
    ['events of items that five users or more have', basics.itemSupport],
    ['events of the ten most frequent items', basics.topItems],
    ['later wants that the ten most popular items hold', basics.popularSlate],
    ['later purchases that are repeats', basics.repeats],
    ['cold users: new in the test part', basics.coldUsers],
    ['cold items: events of items new in the test part', basics.coldItems],
    ['events of items with a category', basics.category],
    ['... with a brand', basics.brand],
    ['... with a price', basics.price],
    ['... with a title', basics.title],
    ['time until 99 % of the events have come in', arrivalDelay],
    ['users or sessions to test on', testUsers],
    ['new users and sessions', traffic],
  ];
  return table(
    ['measured', 'value [95 %]'],
    rows.map(([what, measured]) => [what, measuredText(measured)]),
  );
}

function metricsText({ facts, plans, goals, alpha }: Framed): string {
  const meanOf = (metric: string) => facts.metrics.find((one) => one.metric === metric)?.mean;
  const unknown = plans.filter(({ metric }) => meanOf(metric)?.value === null);
  const rows = plans
    .filter((plan) => !unknown.includes(plan))
    .map(({ metric, users, days, canaryUsers, canaryDays }) => {
      const mean = meanOf(metric);
      const soon = (count: number | null) => (count === null ? '-' : `${count.toFixed(count < 10 ? 1 : 0)}${count > maxDaysForChange ? ' (too long)' : ''}`);
      return [
        metric,
        mean === undefined ? '' : measuredText(mean),
        users === null ? '-' : String(users),
        soon(days),
        canaryUsers === null ? '-' : String(canaryUsers),
        soon(canaryDays),
      ];
    });
  const { change, alpha: once, power } = sensitivity;
  const goalLines = goals.map(({ metric, target, measured, gap }) => {
    if (target === null) return `goal ${metric}`;
    return `goal ${metric} ${target}: ${measured === null || gap === null ? 'not measured yet' : `${measured.toPrecision(3)} measured, ${percent(Math.abs(gap))} ${gap >= 0 ? 'to go' : 'beyond it'}`}`;
  });
  return [
    `what it takes to see a change of ${percent(change, 0)} (one look, half and half: alpha ${once}, power ${power}; canary: whenever one looks, alpha ${alpha}, power ${power})`,
    ...(rows.length === 0 ? [] : [table(['metric', 'mean [95 %]', 'users', 'days', "canary's users", "canary's days"], rows)]),
    ...(unknown.length === 0 ? [] : [`not known: ${unknown.map(({ metric }) => metric).join(', ')}: ${meanOf(unknown[0]?.metric ?? '')?.why}`]),
    ...goalLines,
  ].join('\n');
}

function delaysText({ delayQuantiles, attributed, attributionMs }: FramingFacts): string {
  if (delayQuantiles.length === 0)
    return `from impression to answer: not known: ${attributed.why ?? 'nothing was answered'}. What follows: no click-through rate, no attribution, no canary by attributed rewards; log impressions`;
  const rows = delayQuantiles.map(({ quantile, ms }) => [percent(quantile, 0), durationText(ms)]);
  const credit =
    attributed.value === null
      ? ''
      : `\n${valueText(attributed.value, 'share')} of all such events follow an impression within ${durationText(attributionMs)}: what the slate can take credit for`;
  return `${table(['from impression to answer', `within ${durationText(attribution.horizonMs)}`], rows)}${credit}`;
}

function recommendedText({ recommender, objective, weights, attribution: window, encoder, repeats, window: days }: Recommended): string {
  const parts = [
    ['recommender', recommender],
    ['objective', objective],
    ['reward', weights],
    ['attribution', { ...window, says: `${durationText(window.choice.ms)}: ${window.says}` }],
    ['users', encoder],
    ['repeats', repeats],
    ['window', days],
  ] as const;
  return [
    'recommended',
    ...parts.flatMap(([what, { says, reasons, notes }]) => [`  ${what.padEnd(11)}  ${says}`, ...reasons.map(reasonText).map(below), ...notes.map(below)]),
  ].join('\n');
}

function familiesText({ families, cold }: Recommended): string {
  const verdictText = { candidate: 'yes', 'when-available': 'yes, when it is available', not: 'no' };
  return [
    'model families',
    ...families.flatMap(({ family, verdict, says, reasons }) => [
      `  ${family.padEnd(11)}  ${verdictText[verdict]}: ${says}`,
      ...reasons.map(reasonText).map(below),
    ]),
    ...cold.map((advice) => `  cold         ${advice}`),
  ].join('\n');
}

const below = (line: string): string => `${' '.repeat(15)}- ${line}`;

function comparedText(compared: readonly Compared[]): string {
  const said = (supported: boolean | null) => (supported === null ? 'the data cannot say' : supported ? 'supported' : 'NOT SUPPORTED');
  return table(
    ['the charter', 'has', 'recommended', '', 'why'],
    compared.map(({ path, present, recommended, supported, why }) => [path, present, recommended, said(supported), why]),
  );
}

const conclusion = ({ recommender, objective }: Recommended): string =>
  recommender.choice
    ? `Recommended: ${objective.choice.objective}, ${recommender.says}`
    : `Recommended: ${recommender.says}. Show the most popular items, and frame again when this changes.`;
