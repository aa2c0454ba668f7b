import {
  type answerKinds,
  type Basics,
  type MetricFacts,
  type MetricName,
  metricNames,
  type PerAnswer,
  planAnswers,
  planArrival,
  planAttributed,
  planBasics,
  planDays,
  planDelays,
  planMean,
  planTestUsers,
  planTraffic,
} from '../../experiments/framing/plan.ts';
import type { Facts } from '../../experiments/framing/recommend.ts';
import { type Kpi, leadingAnswer } from '../../experiments/framing/recommend-objective.ts';
import { recommendAttribution } from '../../experiments/framing/recommend-reward.ts';
import { recommendWindow } from '../../experiments/framing/recommend-window.ts';
import { attribution } from '../../experiments/framing/thresholds.ts';
import type { CheckRequest, Measurement } from '../../models/contracts/assumption.ts';
import { type EventKind, eventKinds } from '../../models/contracts/event.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { daysBetween } from '../windows/days.ts';
import { countSteps, type StepCounts } from './funnel.ts';
import { type Framing, type FramingInput, wantKinds, withFraming } from './open-framing.ts';
import { measureCheck } from './run-check.ts';

/** All that `frame` knows of some data. */
export type FramingFacts = Facts & {
  days: { from: string; to: string; count: number };
  kinds: { kind: EventKind; events: number }[];
  steps: StepCounts[];
  /** From each step that there is to the next one that there is. */
  conversions: Measurement[];
  attributionMs: number;
  /** Quantiles of the time from impression to answer, of the leading kind; empty where it is not known. */
  delayQuantiles: { quantile: number; ms: number }[];
  /** Of the leading kind, within the recommended window. */
  attributed: Measurement;
  traffic: Measurement;
};

type Input = FramingInput & { kpis: readonly Kpi[]; onCheck?: ((name: string) => void) | undefined };

/** Runs every check that the recommendations ask for. @throws UND-NO-DATA; UND-INPUT where no kind has a confidence */
export async function measureFraming({ kpis, onCheck, ...input }: Input): Promise<FramingFacts> {
  const kinds = wantKinds(input.settings.confidence);
  if (kinds.length === 0) throw new UnderstudyError('UND-INPUT', 'The charter gives no kind of event a confidence: nothing says what anybody wants');
  return withFraming(input, async (framing) => {
    const run = async (request: CheckRequest): Promise<Measurement> => {
      onCheck?.(request.check);
      return { ...request, ...(await measureCheck(framing, request.check, request.params)) };
    };
    const runAll = async <Plan extends Record<string, CheckRequest>>(plan: Plan): Promise<Record<keyof Plan, Measurement>> => {
      const found: [string, Measurement][] = [];
      for (const [slot, request] of Object.entries(plan)) found.push([slot, await run(request)]);
      return Object.fromEntries(found) as Record<keyof Plan, Measurement>;
    };

    const { arrivalDelay } = await runAll(planArrival());
    const { from, to } = input.days;
    const count = daysBetween(from, to) + 1;
    const window = recommendWindow({ days: count, arrivalDelay });
    const basics: Basics = await runAll(planBasics({ window, kinds }));
    const answers: PerAnswer = await runAll(planAnswers());
    const delays: PerAnswer = await runAll(planDelays());
    const lead = leadingAnswer({ kpis, answers }) ?? 'click';
    const attributionMs = recommendAttribution({ lead, delay: delays[lead], impressions: basics.impressions }).choice.ms;
    const steps = await countSteps(framing);
    return {
      ...{ window, arrivalDelay, basics, answers, delays, kpis, attributionMs, steps },
      days: { from, to, count },
      kinds: await countKinds(framing),
      conversions: await conversionsBetween(steps, run),
      metrics: await measureMetrics({ attributionMs, run }),
      delayQuantiles: await delayQuantiles({ lead, run }),
      attributed: await run(planAttributed({ kinds: [lead], attributionMs })),
      traffic: await run(planTraffic()),
      testUsers: await run(planTestUsers({ window, kinds: [lead], history: kinds })),
    };
  });
}

type Run = (request: CheckRequest) => Promise<Measurement>;

async function measureMetrics({ attributionMs, run }: { attributionMs: number; run: Run }): Promise<MetricFacts[]> {
  const metrics: MetricFacts[] = [];
  for (const metric of metricNames satisfies readonly MetricName[])
    metrics.push({ metric, mean: await run(planMean({ metric, attributionMs })), days: await run(planDays({ metric, attributionMs })) });
  return metrics;
}

async function conversionsBetween(steps: readonly StepCounts[], run: Run): Promise<Measurement[]> {
  const there = steps.filter(({ events }) => events > 0).map(({ step }) => step);
  const found: Measurement[] = [];
  const leading = there.filter((step) => step !== 'dwell');
  for (const [place, to] of leading.entries()) {
    const from = leading[place - 1];
    if (from !== undefined) found.push(await run({ check: 'funnel-rate', params: { from, to } }));
  }
  if (there.includes('dwell') && there.includes('view')) found.push(await run({ check: 'funnel-rate', params: { from: 'view', to: 'dwell' } }));
  return found;
}

async function delayQuantiles({ lead, run }: { lead: (typeof answerKinds)[number]; run: Run }): Promise<{ quantile: number; ms: number }[]> {
  const found: { quantile: number; ms: number }[] = [];
  for (const quantile of [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]) {
    const { value } = await run({ check: 'attribution-delay', params: { kinds: [lead], quantile, horizonMs: attribution.horizonMs } });
    if (value !== null) found.push({ quantile, ms: value });
  }
  return found;
}

async function countKinds({ duck }: Framing): Promise<{ kind: EventKind; events: number }[]> {
  const rows = await duck.rows<{ kind: EventKind; events: number }>('SELECT kind, count(*)::DOUBLE AS events FROM merged GROUP BY kind');
  return rows.sort((a, b) => eventKinds.indexOf(a.kind) - eventKinds.indexOf(b.kind));
}
