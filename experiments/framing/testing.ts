import type { CheckRequest, CheckUnit, Measurement } from '../../models/contracts/assumption.ts';
import { type Basics, metricNames, type MetricName, type PerAnswer, planAnswers, planBasics, planDays, planDelays, planMean } from './plan.ts';
import type { Facts } from './recommend.ts';

/** What the tests of recommendations share: the facts of a shop for which a recommender with long-term users is worth while, some of them changed. */
export const measured = (request: CheckRequest, value: number | null, more: Partial<Measurement> = {}): Measurement => ({
  ...request,
  value,
  unit: 'share' as CheckUnit,
  of: 1_000,
  ...(value === null ? { why: 'it was not measured' } : {}),
  ...more,
});

const window = { trainDays: 300, gapDays: 1, testDays: 28 };
const plan = planBasics({ window, kinds: ['purchase', 'view'] });
const usual: Record<keyof Basics, number | null> = {
  impressions: 100_000,
  wants: 50_000,
  items: 5_000,
  units: 8_000,
  users: 4_000,
  knownUsers: 0.7,
  returning: 0.4,
  historyMedian: 7,
  historyLong: 60,
  ordered: 0.9,
  sessionMedian: 4,
  sessionContext: 0.5,
  knownHistory: 0.5,
  density: 0.002,
  itemSupport: 0.9,
  severalItems: 0.6,
  topItems: 0.1,
  popularSlate: 0.08,
  coldUsers: 0.2,
  coldItems: 0.02,
  repeats: 0.2,
  category: 0.95,
  brand: 0.5,
  price: 0.95,
  title: 0.99,
  cartToPurchase: 0.4,
};

export function basicsWith(change: Partial<Record<keyof Basics, number | null>> = {}): Basics {
  const values = { ...usual, ...change };
  return Object.fromEntries(Object.entries(plan).map(([slot, request]) => [slot, measured(request, values[slot as keyof Basics])])) as Basics;
}

type Change = {
  basics?: Partial<Record<keyof Basics, number | null>>;
  answers?: Partial<Record<keyof PerAnswer, number>>;
  delays?: Partial<Record<keyof PerAnswer, number | null>>;
  days?: Partial<Record<MetricName, number | null>>;
} & Partial<Pick<Facts, 'kpis' | 'arrivalDelay' | 'testUsers'>>;

export function factsWith({ basics, answers = {}, delays = {}, days = {}, ...more }: Change = {}): Facts {
  const counts = { purchase: 900, 'add-to-cart': 3_000, click: 20_000, view: 0, rating: 0, ...answers };
  const delay = { purchase: 1_500_000, 'add-to-cart': 900_000, click: 30_000, view: null, rating: null, ...delays };
  const needed = { click: 3, dwell: 8, 'add-to-cart': 12, purchase: 20, revenue: 90, ...days };
  const perAnswer = (requests: Record<keyof PerAnswer, CheckRequest>, values: Record<string, number | null>): PerAnswer =>
    Object.fromEntries(Object.entries(requests).map(([kind, request]) => [kind, measured(request, values[kind] ?? null)])) as PerAnswer;
  const at = { attributionMs: 3_600_000 };
  return {
    window,
    arrivalDelay: measured({ check: 'arrival-delay', params: {} }, 3_600_000, { unit: 'ms' }),
    testUsers: measured({ check: 'test-users', params: {} }, 700, { unit: 'units' }),
    kpis: [],
    ...more,
    basics: basicsWith(basics),
    answers: perAnswer(planAnswers(), counts),
    delays: perAnswer(planDelays(), delay),
    metrics: metricNames.map((metric) => ({
      metric,
      mean: measured(planMean({ metric, ...at }), 0.05),
      days: measured(planDays({ metric, ...at }), needed[metric] ?? null, { unit: 'days' }),
    })),
  };
}
