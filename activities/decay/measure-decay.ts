import { z } from 'zod';
import type { DecayFacts, RefreshAdvice } from '../../experiments/decay/decay-study.ts';
import { type DecayPlan, type DecaySettings, planDecay } from '../../experiments/decay/plan-decay.ts';
import { recommendRefresh } from '../../experiments/decay/recommend-refresh.ts';
import { type Arm, type Origin, summarizeDecay } from '../../experiments/decay/summarize-decay.ts';
import { algorithmNamed } from '../../models/algorithms/registry.ts';
import { catalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import { type DataState, ingestManifest } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { State } from '../context.ts';
import { addDays, daysBetween } from '../windows/days.ts';
import { cellKey, readCell, writeCell } from './decay-cells.ts';
import { measureArm, openSplit, type Split } from './measure-arm.ts';
import { type Ending, trainedModels } from './trained-models.ts';

export type DecayStudy = DecayFacts & {
  surface: string;
  candidate: string;
  algorithm: string;
  /** Generation of the data. */
  generation: number;
  metric: string;
  margin: number;
  seed: number;
  plan: DecayPlan;
  /** Test parts, the latest first. */
  tests: { from: string; to: string; users: number }[];
  /** Models to measure, and how many of them there was time for; some were measured by an earlier study. */
  models: { asked: number; measured: number; fromEarlier: number };
  recommended: RefreshAdvice;
  notes: string[];
};

export type DecayInput = {
  data: DataState;
  charter: Charter;
  recipe: Recipe;
  settings: DecaySettings;
  seed: number;
  /** No further model is trained after this. */
  budgetMs: number;
  now: () => number;
  onStep: (step: { done: number; total: number; note: string }) => void;
  signal?: AbortSignal | undefined;
};

/**
 * How the metric of the recipe's models falls with their age, and what each further month of history buys. At several test weeks, models that were trained earlier,
 * on more or less, or from one another, answer the same users, from the histories that these have by then, as in serving. What was measured of a model is kept by
 * the digest of all that went into it: a study that was cut off goes on, and the same study again costs reading.
 * @throws UND-NO-DATA where the days do not suffice, UND-INPUT for what is not trained here
 */
export async function measureDecay(state: State, input: DecayInput): Promise<DecayStudy> {
  const { data, charter, recipe, seed, now, onStep } = input;
  if (recipe.guest !== null) throw new UnderstudyError('UND-INPUT', `${recipe.candidate} is a guest, which comes trained: its age cannot be studied here`);
  if (recipe.trainer !== undefined)
    throw new UnderstudyError('UND-INPUT', `${recipe.candidate} is trained by a worker of its own: its age cannot be studied here`);
  const days = data.slices.filter(({ rows }) => rows > 0).map(({ day }) => day);
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) throw new UnderstudyError('UND-NO-DATA', `${data.surface} has no events yet`);
  const plan = planDecay({ days: daysBetween(first, last) + 1, window: charter.window, settings: input.settings });
  const untilMs = now() + input.budgetMs;
  const metric = charter.gates.primaryMetric;
  const { rulesDigest } = await getDocument(state.blobs, data.ingest, ingestManifest);
  const catalog = await getDocument(state.blobs, data.catalog, z.array(catalogItem));
  const canWarm = algorithmNamed(recipe.algorithm).warmParams !== undefined && plan.warmSteps > 0;
  const total = plan.origins.length * (plan.weeks.length + plan.histories.length + (canWarm ? 1 : 0));
  const models = { asked: total, measured: 0, fromEarlier: 0 };
  const about = { data, charter, rulesDigest };
  const trained = trainedModels({ blobs: state.blobs, recipe, ...about, now, signal: input.signal });
  const origins: Origin[] = [];
  const tests: DecayStudy['tests'] = [];

  for (const back of plan.origins) {
    const testTo = addDays(last, -back);
    const freshTo = addDays(testTo, -plan.testDays - plan.gapDays);
    const ending = (days: number, weeks: number, warmSteps = 0): Ending => ({ to: addDays(freshTo, -7 * weeks), days, warmSteps });
    const widest = Math.max(plan.trainDays, ...plan.histories.map((length) => length.days));
    const split = await openSplit({
      blobs: state.blobs,
      ...about,
      catalog,
      testTo,
      testDays: plan.testDays,
      trainTo: freshTo,
      trainDays: widest,
      signal: input.signal,
    });
    tests.push({ from: split.window.test.from, to: testTo, users: split.test.users.length });
    if (split.test.users.length === 0) continue;
    const measured = async (end: Ending, note: string): Promise<Arm | undefined> => {
      const key = cellKey({ split, recipe, charter, metric, window: trained.windowOf(end), warmSteps: end.warmSteps });
      const known = await readCell(state, { surface: data.surface, key });
      const arm = known ?? (now() > untilMs ? undefined : await trainAndMeasure({ split, end, trained, charter, metric }));
      if (arm !== undefined) models.measured += 1;
      if (known !== undefined) models.fromEarlier += 1;
      else if (arm !== undefined) await writeCell(state, { surface: data.surface, key, arm });
      onStep({ done: models.measured, total, note: `week of ${split.window.test.from}: ${note}` });
      return arm;
    };
    origins.push(await measureOrigin({ plan, split, canWarm, ending, measured }));
  }
  const { refreshMargin: margin, minUsers } = charter.gates;
  const facts = summarizeDecay({ origins, plan, seed, minUsers });
  return {
    ...{
      surface: data.surface,
      candidate: recipe.candidate,
      algorithm: recipe.algorithm,
      generation: data.generation,
      metric,
      margin,
      seed,
      plan,
      tests,
      models,
    },
    ...facts,
    recommended: recommendRefresh({ ...facts, margin }),
    notes: [
      ...plan.notes,
      ...tests.filter(({ users }) => users === 0).map(({ from, to }) => `nobody can be measured in the week of ${from} to ${to}`),
      ...(facts.ages.some(({ users }) => users < minUsers) ? [`of fewer than ${minUsers} users (gates.minUsers) nothing is said`] : []),
      ...(models.measured < total ? [`${total - models.measured} of ${total} models were not measured: the time was up, or nobody was there`] : []),
    ],
  };
}

type OriginInput = {
  plan: DecayPlan;
  split: Split;
  canWarm: boolean;
  ending: (days: number, weeks: number, warmSteps?: number) => Ending;
  measured: (end: Ending, note: string) => Promise<Arm | undefined>;
};

/** The fresh model first: without it nothing else is of use. */
async function measureOrigin({ plan, split, canWarm, ending, measured }: OriginInput): Promise<Origin> {
  const [ages, histories] = [new Map<number, Arm>(), new Map<number, Arm>()];
  for (const weeks of plan.weeks) {
    const arm = await measured(ending(plan.trainDays, weeks), `${weeks} weeks old`);
    if (arm !== undefined) ages.set(weeks, arm);
  }
  for (const { months, days } of plan.histories.toReversed()) {
    const arm = await measured(ending(days, 0), `${months} months of history`);
    if (arm !== undefined) histories.set(days, arm);
  }
  const warm = canWarm ? await measured(ending(plan.trainDays, 0, plan.warmSteps), `${plan.warmSteps} weeks from one another`) : undefined;
  return { counts: split.counts, ages, histories, warm };
}

type One = { split: Split; end: Ending; trained: ReturnType<typeof trainedModels>; charter: Charter; metric: string };

async function trainAndMeasure({ split, end, trained, charter, metric }: One): Promise<Arm | undefined> {
  const model = await trained.at(end).catch((error: unknown) => {
    // Days without events: a shop that was closed.
    if (error instanceof UnderstudyError && error.code === 'UND-NO-DATA') return undefined;
    throw error;
  });
  if (model === undefined) return undefined;
  return { sums: await measureArm({ model, split, charter, metric }), cost: { rows: model.rows, seconds: model.seconds } };
}
