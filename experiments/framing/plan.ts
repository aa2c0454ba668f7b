import type { CheckName, CheckParams, CheckRequest, Measurement } from '../../models/contracts/assumption.ts';
import type { EventKind } from '../../models/contracts/event.ts';
import { arrivalQuantile, attribution, families, identity, metricDays, recommender, sensitivity } from './thresholds.ts';

/*
 * What is measured, and in which order: how late events come in says where the window is cut; that, how much there is of everything; and what the reward will
 * be, by which attribution window the success metrics are taken.
 */
export type Window = { trainDays: number; gapDays: number; testDays: number };
export type Measurements<Plan extends Record<string, CheckRequest>> = { readonly [Slot in keyof Plan]: Measurement };

const ask = (check: CheckName, params: CheckParams = {}): CheckRequest => ({ check, params });

/** What may answer a slate, from the dearest on. */
export const answerKinds = ['purchase', 'add-to-cart', 'click', 'view', 'rating'] as const satisfies readonly EventKind[];
export type AnswerKind = (typeof answerKinds)[number];

const perAnswer = <Made>(make: (kind: AnswerKind) => Made): Record<AnswerKind, Made> =>
  Object.fromEntries(answerKinds.map((kind) => [kind, make(kind)])) as Record<AnswerKind, Made>;

export const planArrival = () => ({ arrivalDelay: ask('arrival-delay', { quantile: arrivalQuantile }) });

/** @param kinds that say that somebody wanted something */
export function planBasics({ window, kinds }: { window: Window; kinds: readonly EventKind[] }) {
  const of = { kinds: [...kinds] };
  const split = { window: { ...window }, ...of };
  return {
    impressions: ask('event-count', { kinds: ['impression'] }),
    wants: ask('event-count', of),
    items: ask('item-count', of),
    units: ask('unit-count', of),
    users: ask('unit-count', { ...of, known: true }),
    knownUsers: ask('known-user-share'),
    returning: ask('returning-share', { withinDays: identity.returningDays }),
    historyMedian: ask('history-length', { ...of, quantile: 0.5 }),
    historyLong: ask('history-length', { ...of, quantile: 0.9 }),
    ordered: ask('ordered-share', of),
    sessionMedian: ask('session-length', { quantile: 0.5 }),
    sessionContext: ask('session-context-share', { ...of, minItems: 2 }),
    knownHistory: ask('known-history-share', { ...split, minEvents: identity.historyEvents }),
    density: ask('density', of),
    itemSupport: ask('item-support', { ...of, minUnits: families.itemUnits }),
    severalItems: ask('several-items-share', { ...of, minItems: 2 }),
    topItems: ask('top-items-share', { ...of, items: recommender.slateSize }),
    popularSlate: ask('popular-slate-share', { ...split, size: recommender.slateSize }),
    coldUsers: ask('cold-user-share', split),
    coldItems: ask('cold-item-share', split),
    repeats: ask('repeat-purchase-share', { window: { ...window } }),
    category: ask('metadata-coverage', { ...of, field: 'category' }),
    brand: ask('metadata-coverage', { ...of, field: 'brand' }),
    price: ask('metadata-coverage', { ...of, field: 'price' }),
    title: ask('metadata-coverage', { ...of, field: 'title' }),
    cartToPurchase: ask('funnel-rate', { from: 'add-to-cart', to: 'purchase' }),
  };
}
export type Basics = Measurements<ReturnType<typeof planBasics>>;

/** How many answers of each kind there are. */
export const planAnswers = () => perAnswer((kind) => ask('event-count', { kinds: [kind] }));
export const planDelays = () =>
  perAnswer((kind) => ask('attribution-delay', { kinds: [kind], quantile: attribution.quantile, horizonMs: attribution.horizonMs }));
export type PerAnswer = Readonly<Record<AnswerKind, Measurement>>;

export const metricNames = ['click', 'dwell', 'add-to-cart', 'purchase', 'revenue'] as const;
export type MetricName = (typeof metricNames)[number];

export const planMean = ({ metric, attributionMs }: { metric: MetricName; attributionMs: number }) =>
  ask('metric-mean', { metric, attributionMs, days: metricDays });
export const planDays = ({ metric, attributionMs }: { metric: MetricName; attributionMs: number }) =>
  ask('days-for-change', { metric, attributionMs, days: metricDays, ...sensitivity });
export const planTraffic = () => ask('units-per-day', { days: metricDays });
export const planAttributed = ({ kinds, attributionMs }: { kinds: readonly EventKind[]; attributionMs: number }) =>
  ask('attributed-share', { kinds: [...kinds], attributionMs });
export const planTestUsers = ({ window, kinds, history }: { window: Window; kinds: readonly EventKind[]; history: readonly EventKind[] }) =>
  ask('test-users', { window: { ...window }, kinds: [...kinds], history: [...history] });

export type MetricFacts = { metric: MetricName; mean: Measurement; days: Measurement };
