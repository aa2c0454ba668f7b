import type { MetricFacts, MetricName, AnswerKind, Basics, PerAnswer } from './plan.ts';
import { answerKinds } from './plan.ts';
import { type Reason, type Recommendation, weigh } from './reason.ts';
import { maxDaysForChange, recommender } from './thresholds.ts';

/** What the business is after, and where it should be; null where only the direction is said. */
export type Kpi = { metric: MetricName; target: number | null };
export type Objective = 'conversion' | 'engagement';

const kindBehind: Record<MetricName, AnswerKind | 'dwell'> = {
  click: 'click',
  dwell: 'dwell',
  'add-to-cart': 'add-to-cart',
  purchase: 'purchase',
  revenue: 'purchase',
};
export const objectiveOf = (kind: AnswerKind): Objective => (kind === 'purchase' || kind === 'add-to-cart' ? 'conversion' : 'engagement');
const metricOf: Partial<Record<AnswerKind, MetricName>> = { purchase: 'purchase', 'add-to-cart': 'add-to-cart', click: 'click' };

/** The kind of answer that a surface is for: the first goal's of which there are events, else the dearest of which there are; undefined where there are none. */
export function leadingAnswer({ kpis, answers }: { kpis: readonly Kpi[]; answers: PerAnswer }): AnswerKind | undefined {
  const there = answerKinds.filter((kind) => (answers[kind].value ?? 0) > 0);
  // Dwell is what a click leads to, and is no reward by itself.
  const wanted = kpis.map(({ metric }) => kindBehind[metric]).map((kind) => (kind === 'dwell' ? (there.includes('click') ? 'click' : 'view') : kind));
  return wanted.find((kind) => there.includes(kind)) ?? there[0];
}

type Input = { kpis: readonly Kpi[]; answers: PerAnswer; metrics: readonly MetricFacts[] };

/** Conversion or engagement, whether or not there should be a recommender. */
export function recommendObjective({ kpis, answers, metrics }: Input): Recommendation<{ objective: Objective; lead: AnswerKind | undefined }> {
  const lead = leadingAnswer({ kpis, answers });
  const notes: string[] = [];
  const path = '/objective';
  for (const { metric } of kpis) {
    const kind = kindBehind[metric];
    if (kind !== 'dwell' && (answers[kind].value ?? 0) === 0)
      notes.push(`the goal is ${metric}, and the data have no ${kind}: log them, or nothing can be steered by it`);
  }
  if (lead === undefined) return { path, choice: { objective: 'engagement', lead }, says: 'engagement, for want of any answer', reasons: [], notes };
  const there: Reason = { claim: `there are events of the kind ${lead}`, measured: answers[lead], min: 1 };
  const objective = objectiveOf(lead);
  if (kpis.length > 0) {
    const goal = kpis.map(({ metric }) => metric).join(', ');
    return { path, choice: { objective, lead }, says: `${objective}, as the goal (${goal}) says`, reasons: [there], notes };
  }
  const daysOf = (kind: AnswerKind) => metrics.find(({ metric }) => metric === metricOf[kind])?.days;
  const [dear, click] = [[daysOf('purchase'), daysOf('add-to-cart')].filter((one) => one?.value != null), daysOf('click')];
  // Without a goal, what cannot be seen to move is no objective where something can.
  if (
    objective === 'conversion' &&
    dear.length > 0 &&
    dear.every((one) => (one?.value ?? 0) > maxDaysForChange) &&
    click?.value != null &&
    click.value <= maxDaysForChange
  ) {
    const tooSlow = dear.flatMap((measured): Reason[] =>
      measured === undefined
        ? []
        : [{ claim: `${String(measured.params.metric)} shows a change of 5 % too late to steer by`, measured, min: maxDaysForChange }],
    );
    const reasons = [...tooSlow, { claim: 'clicks show it in time', measured: click, max: maxDaysForChange }];
    return {
      path,
      choice: { objective: 'engagement', lead: 'click' },
      says: 'engagement: sales are too rare to steer by',
      reasons,
      notes: [...notes, 'say --kpi purchase where only sales count'],
    };
  }
  return { path, choice: { objective, lead }, says: `${objective}: ${lead} is the dearest answer that the data have`, reasons: [there], notes };
}

/** Does a recommender have anything to win here? `choice` false: show the most popular items. Each reason alone is enough for that. */
export function recommendRecommender({ wants, items, severalItems, popularSlate, topItems }: Basics): Recommendation<boolean> {
  const { minEvents, slateSize, minSlates, minSeveralItems, maxPopularSlate } = recommender;
  const weighed = [
    {
      ...weigh({ measured: wants, bound: minEvents, above: 'there are enough events to learn from', below: 'there are too few events to learn from' }),
      needs: true,
    },
    {
      ...weigh({
        measured: items,
        bound: slateSize * minSlates,
        above: 'there are more items than a visitor looks at anyway',
        below: 'there are so few items that a visitor can look at all of them',
      }),
      needs: true,
    },
    {
      ...weigh({
        measured: severalItems,
        bound: minSeveralItems,
        above: 'enough users and sessions have different items, which tell what goes with what',
        below: 'hardly anybody has two different items: nothing tells what goes with what',
      }),
      needs: true,
    },
    {
      ...weigh({
        measured: popularSlate,
        bound: maxPopularSlate,
        above: 'the most popular items are nearly all that anybody wants',
        below: 'the most popular items are not nearly all that is wanted',
      }),
      needs: false,
    },
  ];
  const against = weighed.filter(({ isAbove, needs }) => isAbove !== null && isAbove !== needs);
  const notes = weighed.some(({ isAbove }) => isAbove === null) ? [`what popularity explains is not known: ${popularSlate.why ?? severalItems.why ?? ''}`] : [];
  const room = popularSlate.value === null ? '' : `; personalization can win ${((1 - popularSlate.value) * 100).toFixed(1)} % of the wants at most`;
  if (against.length > 0)
    return {
      path: '/candidates',
      choice: false,
      says: `no recommender here: ${against.flatMap(({ reason }) => reason.map(({ claim }) => claim)).join('; ')}`,
      reasons: against.flatMap(({ reason }) => reason),
      notes,
    };
  const top = topItems.value === null ? '' : ` (the ${slateSize} most frequent items have ${(topItems.value * 100).toFixed(1)} % of the events)`;
  return { path: '/candidates', choice: true, says: `a recommender${room}${top}`, reasons: weighed.flatMap(({ reason }) => reason), notes };
}
